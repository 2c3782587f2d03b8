# Model-specific registers, "safe" accessors. Before: the fixup sets -EIO and
# zeroes both output registers. After: RDMSR_SAFE and WRMSR_SAFE name the register
# that receives -EIO and the landing is the next instruction.
	.include "macros.inc"
	era
	.text
	func	read_msr_safe
	mov	%edi, %ecx
	xor	%esi, %esi
T_f1:
1:	rdmsr
T_in1:
2:	mov	%esi, %eax
	ret
	endf	read_msr_safe

	func	write_msr_safe
	mov	%edi, %ecx
	xor	%esi, %esi
T_f2:
3:	wrmsr
T_in2:
4:	mov	%esi, %eax
	ret
	endf	write_msr_safe

	.if	AFTER
	ex_type	1b, 2b, EX_RDMSR_SAFE+EX_SI
	ex_type	3b, 4b, EX_WRMSR_SAFE+EX_SI
	.else
	handler	ex_handler_default
	.section .fixup, "ax"
.E_copy:
T_x1:
5:	mov	$-5, %esi
T_x1_mid:
	xor	%eax, %eax
	xor	%edx, %edx
T_x1_last:
	jmp	2b
T_x2:
6:	mov	$-5, %esi
T_x2_last:
	jmp	4b
	ex_handler 1b, 5b, ex_handler_default
	ex_handler 3b, 6b, ex_handler_default
	.endif
