# Saving and restoring the FPU state. The faulting instruction is the site of an
# ALTERNATIVE whose replacement is longer, so the site carries padding. Before:
# three fixup shapes (negl, mov -1, mov -2). After: FAULT_MCE_SAFE, EFAULT_REG,
# FPU_RESTORE.
	.include "macros.inc"
	era
	.macro	site			# 3 bytes and a nop, or 4 bytes
661:	xsave	(%rdi)
	nop
662:
	.pushsection .altinstr_replacement, "ax"
663:	xsaves64 (%rdi)
664:
	.popsection
	alternative 661b, 662b, 663b, 664b, 0x14a, 1
	.endm

	.text
	func	save_user_state
	mov	$-1, %eax
	mov	%eax, %edx
T_f1:
1:	site
T_in1:
2:	mov	%eax, %ebx
	ret
	endf	save_user_state

	func	save_kernel_state
	xor	%ebx, %ebx
T_f2:
3:	site
T_in2:
4:	mov	%ebx, %eax
	ret
	endf	save_kernel_state

	func	restore_state
	xor	%ebx, %ebx
T_f3:
5:	fxrstor	(%rdi)
T_in3:
6:	mov	%ebx, %eax
	ret
	endf	restore_state

	.if	AFTER
	ex_type	1b, 2b, EX_FAULT_MCE_SAFE
	ex_type	3b, 4b, EX_EFAULT_REG+EX_BX
	ex_type	5b, 6b, EX_FPU_RESTORE
	.else
	handler	ex_handler_fault
	handler	ex_handler_default
	.section .fixup, "ax"
.E_copy:
T_x1:
7:	negl	%eax
T_x1_last:
	jmp	2b
T_x2:
8:	mov	$-2, %ebx
T_x2_last:
	jmp	4b
T_x3:
9:	mov	$-1, %ebx
T_x3_last:
	jmp	6b
	ex_handler 1b, 7b, ex_handler_fault
	ex_handler 3b, 8b, ex_handler_default
	ex_handler 5b, 9b, ex_handler_default
	.endif
