// SPDX-License-Identifier: GPL-2.0
#include "kp.h"
/* Kernel threads that sleep in their main function for ever. */
NEW int new_kswapd(void *p) { return 0; }
NEW int new_kcompactd(void *p) { return 0; }
VM(F("kswapd", new_kswapd, 0), F("kcompactd", new_kcompactd, 0));
OBJS(OVM);
