/*
 * The list of cli/modules.h: one line a module. Order matters only in that it is the order of a snapshot's
 * parts. Adding a feature that compiles something adds its line here.
 */
#include "cli/modules.h"

#include "policy/policy.h"
#include "policy/route.h"
#include "process/privileges.h"
#include "process/tls_setup.h"
#include "upstream/tls_clients.h"

const struct config_module *const config_modules[] = {&route_module,       &pipeline_module,   &tls_module,
                                                      &tls_clients_module, &privileges_module, NULL};
