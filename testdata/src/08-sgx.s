# Enclave instructions. Before: the handler puts the trap number in eax and the
# fixup adds a flag bit, then jumps back. After: FAULT_SGX does both.
# No banner: the format must be recognised from the table alone.
	.include "macros.inc"
	.text
	func	encls_call
	mov	%edi, %eax
T_f1:
1:	encls
T_in1:
2:	ret
	endf	encls_call

	func	encls_pair
	mov	%edi, %eax
T_f2:
3:	encls
T_in2:
4:	mov	%eax, %ecx
T_f3:
5:	encls
6:	or	%ecx, %eax
	ret
	endf	encls_pair

	.if	AFTER
	ex_type	1b, 2b, EX_FAULT_SGX
	ex_type	3b, 4b, EX_FAULT_SGX
	ex_type	5b, 6b, EX_FAULT_SGX
	.else
	handler	ex_handler_fault
	.section .fixup, "ax"
.E_copy:
T_x1:
7:	or	$0x40000000, %eax
T_x1_last:
	jmp	2b
T_x2:
8:	or	$0x40000000, %eax
T_x2_last:
	jmp	4b
T_x3:
9:	or	$0x40000000, %eax
T_x3_last:
	jmp	6b
	ex_handler 1b, 7b, ex_handler_fault
	ex_handler 3b, 8b, ex_handler_fault
	ex_handler 5b, 9b, ex_handler_fault
	.endif
