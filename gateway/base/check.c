/*
 * The last words of a process whose own invariants are broken: the expression, its place, and which exchange
 * and step were running. Called through CHECK() by everybody; knows no other module.
 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Thread_local struct check_scene check_scene;

_Noreturn void check_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "portico: CHECK failed: %s at %s:%d (step %s, request %s)\n", expression, file, line,
            check_scene.step ? check_scene.step : "none", check_scene.step ? check_scene.request : "none");
    abort();
}
