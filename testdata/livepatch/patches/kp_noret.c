// SPDX-License-Identifier: GPL-2.0
#include "kp.h"
/* The return address of k_noret's last call is the next symbol's. */
NEW int new_noret(int how) { return 41 + how; }
NEW int new_block(int how) { return 43 + how; }
LAB(F("k_noret", new_noret, 0), F("k_block", new_block, 0));
OBJS(OLAB);
