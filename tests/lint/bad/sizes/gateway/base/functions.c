static int six(int a, void (*b)(int, int), int c, int d, int e, int f)
{
    return a;
}

static int shallow(int a)
{
    int v[2][2] = {{1, 2}, {3, 4}};
    switch (a) {
    case 1: {
        while (a) {
            if (a == '{') {
                take((struct x){.y = {1}}); /* { */
            } else {
                a--;
            }
        }
    }
    }
    return v[0][0];
}

static int deep(int a)
{
    if (a) {
        do {
            for (;;) {
                if (a) {
                    return 1;
                }
            }
        } while (a);
    }
    return 0;
}

static int long_one(void)
{
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
    step();
}
