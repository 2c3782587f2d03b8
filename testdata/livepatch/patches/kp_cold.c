// SPDX-License-Identifier: GPL-2.0
#include "kp.h"
/* k_cold sleeps in k_cold.cold; k_block keeps the transition open. */
NEW int new_cold(int how) { return 41 + how; }
NEW int new_block(int how) { return 43 + how; }
LAB(F("k_cold", new_cold, 0), F("k_block", new_block, 0));
OBJS(OLAB);
