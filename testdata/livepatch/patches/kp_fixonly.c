// SPDX-License-Identifier: GPL-2.0
#include "kp.h"
/* k_fix_call alone: the kernel completes with tasks inside. */
NEW int new_fix(int how) { return 41 + how; }
LAB(F("k_fix_call", new_fix, 0));
OBJS(OLAB);
