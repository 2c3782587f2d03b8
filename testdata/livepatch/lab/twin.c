// SPDX-License-Identifier: GPL-2.0
/* A second k_twin, and k_twin_b: linked last, so that nothing but .fixup is behind it. */
#include <linux/kernel.h>
#include <linux/compiler.h>

int k_wait(int how);
int k_twin_b(int how);
extern volatile int k_sink;

static noinline __attribute__((noclone)) int k_twin(int how)
{
	int r = k_wait(how);

	barrier();
	return r ? r : k_sink + 2;
}

noinline int k_twin_b(int how)
{
	int r = k_twin(how);

	barrier();
	return r ? r : k_sink;
}
