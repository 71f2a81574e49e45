#include "http/fields.h"
/* #include "net/conn.h" in a comment is no include */
#include <event2/event.h>

static void manager_start(void)
{
    event_base_loop(0, 0);
    log("our peer");
    pcre2_match_context_create(0);
}
