#include "base/up.h"
#include "codec/session.h"
