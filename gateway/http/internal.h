/*
 * What the files of gateway/http share and nobody else sees: target.c hands the paths that its first pass
 * found odd to path.c, which spells them out. Other folders include http/target.h; nothing here is a promise
 * to them. MUST NOT grow types of its own: what both need to know about a target stands in struct target.
 */
#ifndef PORTICO_HTTP_INTERNAL_H
#define PORTICO_HTTP_INTERNAL_H

#include "http/target.h"

/* Fills path, loose_path and ambiguous from raw_path, whose bytes are legal. Faults: bad_target,
 * path_above_root, ambiguous_path. */
MUST_USE enum fault path_spell(struct target *target, struct arena *arena);

#endif
