/*
 * From what the configuration says about TLS to what connections are opened with. The one place that knows
 * both config/ and net/tls_context.h; its module makes a snapshot's TLS part, so that `check` opens the files
 * that `run` uses.
 */
#ifndef PORTICO_PROCESS_TLS_SETUP_H
#define PORTICO_PROCESS_TLS_SETUP_H

#include "config/snapshot.h"
#include "net/tls_context.h"

/* Its part is a struct tls_context; NULL when there is no certificate. Errors: files that cannot be read or
 * do not fit. Warnings: expired certificates, hosts without certificate. */
extern const struct config_module tls_module;

/* Opens the files again. NULL after adding an error, or when there is no certificate. */
struct tls_context *tls_setup_load(const struct config *config, struct config_findings *findings);

#endif
