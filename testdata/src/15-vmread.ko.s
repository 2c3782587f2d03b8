# Reading a virtualisation control field. Before: the fixup pushes two words, calls
# a reporting function, pops both and jumps back, so the CFA moves inside the fixup
# and the fixup's own return address appears on the stack.
# After: the call stands in the function; a fallback form uses ONE_REG.
	.include "macros.inc"
	modinfo
	.text
	func	read_field
T_f1:
1:	vmread	%rdi, %rax
	.if	AFTER
	ja	9f
	ret
T_land:
9:	push	$0
	push	%rdi
	call	vmread_error
T_land_return:
	pop	%rdi
	pop	%rax
	ret
	ex_type	1b, 9b, EX_DEFAULT
	.else
	ja	3f
T_in1:
2:	ret
3:	ud2
	.endif
	endf	read_field

	func	read_field_fallback
	xor	%ecx, %ecx
T_f2:
5:	vmread	%rdi, %rax
T_in2:
6:	test	%ecx, %ecx
	ret
	endf	read_field_fallback

	.if	AFTER
	ex_type	5b, 6b, EX_IMM_REG+EX_CX+1*EX_IMM
	.else
	.section .fixup, "ax"
T_x1:
4:	push	$0
T_x1_pushed1:
	push	%rdi
T_x1_pushed2:
	call	vmread_error
T_x1_return:
	pop	%rdi
T_x1_popped1:
	pop	%rax
T_x1_last:
	jmp	2b
.E_copy:
T_x2:
7:	push	$0
	push	%rdi
	call	vmread_error
T_x2_return:
	pop	%rdi
	pop	%rax
T_x2_last:
	jmp	6b
	ex_handler 1b, 4b, ex_handler_default
	ex_handler 5b, 7b, ex_handler_default
	.endif
