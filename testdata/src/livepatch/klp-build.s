# As klp-build lays it out (Linux 7.1 and later): two functions of the vmlinux, one of a module.
	.include "common.inc"
	info	livepatch_built
	new	first
	new	second
	new	third

	.section .rodata.klp.str1.1, "aMS", @progbits, 1
n_first:  .asciz "vfs_first"
n_second: .asciz "vfs_second"
n_third:  .asciz "drv_third"
n_module: .asciz "driver"

	.section .init.klp_funcs, "aw"
	.balign	8
funcs:	.quad	n_first, first, 0
	.quad	n_second, second, 2
	.quad	n_third, third, 0

	.section .init.klp_objects, "aw"
	.balign	8
	.quad	0, funcs
	.fill	5, 8, 0
	.long	2, 0
	.quad	n_module, funcs+48
	.fill	5, 8, 0
	.long	1, 0
