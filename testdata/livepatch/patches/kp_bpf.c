// SPDX-License-Identifier: GPL-2.0
#include "kp.h"
/* A task is inside, below the frames of a BPF program: only kernels that trust those see it. */
struct bpf_prog; union bpf_attr;
NEW int new_run(struct bpf_prog *p, const union bpf_attr *k, union bpf_attr __user *u) { return -EINTR; }
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 14, 0)
VM(F("bpf_prog_test_run_syscall", new_run, 0));
#else
VM(F("bpf_prog_test_run_raw_tp", new_run, 0));
#endif
OBJS(OVM);
