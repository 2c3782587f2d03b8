// SPDX-License-Identifier: GPL-2.0
#include "kp.h"
/* k_cold alone: nothing that the kernel sees keeps it from completing. */
NEW int new_cold(int how) { return 41 + how; }
LAB(F("k_cold", new_cold, 0));
OBJS(OLAB);
