# Instruction-emulation stubs, one sized function per operand size, called through
# pointers. Before: all share ONE named, global, unsized stub among the fixups that
# ends in ret, so only the caller's call target tells which one it was.
# After: ZERO_REG on esi, landing inside each stub.
	.include "macros.inc"
	modinfo
	.macro	stub name, insn, n
	.balign	8
	.type	\name, @function
\name:
T_f\n:
.Lsite\n:
	\insn
T_in\n:
.Lnext\n:
	ret
	endf	\name
	.if	AFTER
	ex_type	.Lsite\n, .Lnext\n, EX_IMM_REG+EX_SI
	.else
	ex_handler .Lsite\n, fastop_exception, ex_handler_default
	.endif
	.endm

	.text
	func	emulate_direct
	sub	$8, %rsp
	call	div_long
T_c_direct:
	test	%esi, %esi
	add	$8, %rsp
	ret
	endf	emulate_direct

	func	emulate_indirect
	sub	$8, %rsp
	call	__x86_indirect_thunk_rax
T_c_thunk:
	call	*%rdx
T_c_pointer:
	add	$8, %rsp
	ret
	endf	emulate_indirect

	.balign	8
	.globl	div_ex			# group label: unsized, same address as its first stub
div_ex:
	stub	div_byte, "div %cl", 1
	stub	div_word, "div %cx", 2
	stub	div_long, "div %ecx", 3
	stub	div_quad, "div %rcx", 4
	.balign	8
	.globl	idiv_ex
idiv_ex:
	stub	idiv_byte, "idiv %cl", 5
	stub	idiv_word, "idiv %cx", 6
	stub	idiv_long, "idiv %ecx", 7
	stub	idiv_quad, "idiv %rcx", 8

	.if	!AFTER
	.section .fixup, "ax"
	.globl	fastop_exception
fastop_exception:
T_x:
	xor	%esi, %esi
T_x_last:
	ret
	.endif
