# Atomic operations on a user word. Before: mov $-EFAULT and a jump back; the
# looping form has two faulting instructions that share one fixup.
# After: EFAULT_REG, the register number taken from the operand.
	.include "macros.inc"
	era
	.macro	entry from, to, resume, reg
	.if	AFTER
	ex_type	\from, \resume, EX_EFAULT_REG+\reg
	.else
	ex_handler \from, \to, ex_handler_uaccess
	.endif
	.endm

	.text
	func	futex_set
	xor	%ecx, %ecx
T_f1:
1:	xchg	%eax, (%rdi)
T_in1:
.Lset_done:
	mov	%eax, (%rsi)
	mov	%ecx, %eax
	ret
	entry	1b, 10f, .Lset_done, EX_CX
	endf	futex_set

	func	futex_or
	xor	%r9d, %r9d
T_f2:
1:	mov	(%rdi), %eax
2:	mov	%eax, %r8d
	or	%edx, %r8d
T_f3:
3:	lock cmpxchg %r8d, (%rdi)
	jnz	2b
T_in2:
4:	mov	%r9d, %eax
	ret
	entry	1b, 11f, 4b, EX_R9
	entry	3b, 11f, 4b, EX_R9
	endf	futex_or

	func	futex_cmpxchg
	xor	%r15d, %r15d
T_f4:
1:	lock cmpxchg %ecx, (%rdx)
T_in3:
5:	mov	%r15d, %ebx
	ret
	entry	1b, 12f, 5b, EX_R15
	endf	futex_cmpxchg

	.if	!AFTER
	handler	ex_handler_uaccess
	.section .fixup, "ax"
T_x1:
10:	mov	$-14, %ecx
T_x1_last:
	jmp	.Lset_done
.E_copy:
T_x2:
11:	mov	$-14, %r9d
T_x2_last:
	jmp	4b
T_x3:
12:	mov	$-14, %r15d
T_x3_last:
	jmp	5b
	.endif
