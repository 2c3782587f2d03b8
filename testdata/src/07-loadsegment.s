# Loading a segment register with a selector that may be bad. Before: the fixup
# zeroes the register and jumps back to the faulting instruction itself.
# After: ZERO_REG with the landing equal to the instruction: "zero and retry".
	.include "macros.inc"
	era
	.text
	func	load_fs
	mov	%edi, %eax
T_f1:
1:	mov	%eax, %fs
T_in1:
	ret
	endf	load_fs

	func	load_ds_es
	mov	%edi, %eax
T_f2:
2:	mov	%eax, %ds
	mov	%esi, %ecx
T_f3:
3:	mov	%ecx, %es
T_in2:
	ret
	endf	load_ds_es

	.if	AFTER
	ex_type	1b, 1b, EX_IMM_REG+EX_AX
	ex_type	2b, 2b, EX_IMM_REG+EX_AX
	ex_type	3b, 3b, EX_IMM_REG+EX_CX
	.else
	handler	ex_handler_default
	.section .fixup, "ax"
.E_copy:
T_x1:
4:	xor	%eax, %eax
T_x1_last:
	jmp	1b
T_x2:
5:	xor	%eax, %eax
T_x2_last:
	jmp	2b
T_x3:
6:	xor	%ecx, %ecx
T_x3_last:
	jmp	3b
	ex_handler 1b, 4b, ex_handler_default
	ex_handler 2b, 5b, ex_handler_default
	ex_handler 3b, 6b, ex_handler_default
	.endif
