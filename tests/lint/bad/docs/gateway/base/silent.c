/* Too short. */
static int later; /* TODO */
