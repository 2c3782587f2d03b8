# As a C source with a static struct klp_patch is compiled (Debian's kernels 5.10-7.2: 152, 168 and 200 bytes): two
# functions of the vmlinux, one of a module, and an object that has callbacks only.
	.include "common.inc"
	info	livepatch_hand
	new	first
	new	second
	new	third
	new	called

	.section .rodata.str1.1, "aMS", @progbits, 1
n_first:  .asciz "vfs_first"
n_second: .asciz "vfs_second"
n_third:  .asciz "drv_third"
n_module: .asciz "driver"
n_other:  .asciz "other"

	.section .gnu.linkonce.this_module, "aw"
	.globl	__this_module
__this_module:
	.fill	24, 1, 0
	.asciz	"livepatch_hand"
	.fill	800, 1, 0

	.macro	klp_func name new sympos
	.quad	\name, \new, \sympos
	.fill	128, 1, 0
	.endm
	.macro	klp_object name funcs callback=0
	.quad	\name, \funcs, \callback
	.fill	144, 1, 0
	.endm

	.data
	.balign	32
	.quad	n_other, n_first	# a table of names, and what points to it: no livepatch
table:	.quad	n_first, n_second, 7
	.quad	0, table
f_driver:
	klp_func n_third, third, 0
	klp_func 0, 0, 0
f_none:	klp_func 0, 0, 0
objs:	klp_object 0, f_vmlinux
	klp_object n_module, f_driver
	klp_object n_other, f_none, called
	klp_object 0, 0
patch:	.quad	__this_module, objs, 0
	.byte	1			# replace
	.fill	175, 1, 0
f_vmlinux:
	klp_func n_first, first, 1
	klp_func n_second, second, 0
	klp_func 0, 0, 0
