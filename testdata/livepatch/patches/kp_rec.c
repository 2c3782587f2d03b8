// SPDX-License-Identifier: GPL-2.0
#include "kp.h"
/* k_rec is in the stack thrice, its innermost instance in k_rec.cold; k_tail leaves no frame. */
NEW int new_rec(int how, int n) { return 41 + how; }
NEW int new_tail(int how) { return 44 + how; }
LAB(F("k_rec", new_rec, 0), F("k_tail", new_tail, 0));
OBJS(OLAB);
