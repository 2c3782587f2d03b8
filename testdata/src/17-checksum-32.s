# Checksum while copying from user memory, 32-bit. Before: many loads and stores
# share one fixup (xor eax and a jump near the function's end).
# After: UACCESS with CLEAR_AX and the landing inside the function.
	.include "macros.inc"
	era
	.macro	touch n, insn:vararg
T_f\n:
.Lsite\n:
	\insn
	.if	AFTER
	ex_type	.Lsite\n, .Lout, EX_UACCESS+EX_CLEAR_AX
	.else
	ex_handler .Lsite\n, .Lfix, ex_handler_uaccess
	.endif
	.endm

	.text
	func	csum_copy
	push	%edi
	push	%esi
	xor	%eax, %eax
	mov	12(%esp), %esi
	mov	16(%esp), %edi
	touch	1, mov (%esi), %ebx
	touch	2, mov 4(%esi), %edx
	add	%ebx, %eax
	touch	3, mov %ebx, (%edi)
	adc	%edx, %eax
	touch	4, mov %edx, 4(%edi)
	touch	5, movb (%esi), %cl
	adc	$0, %eax
T_in:
.Lout:
	pop	%esi
	pop	%edi
T_in_last:
	ret
	endf	csum_copy

	.if	!AFTER
	handler	ex_handler_uaccess
	.section .fixup, "ax"
.E_copy:
T_x:
.Lfix:
	xor	%eax, %eax
T_x_last:
	jmp	.Lout
	.endif
