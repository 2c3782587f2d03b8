# Copy and clear of user memory, 32-bit. Before: a dozen instructions share one
# fixup that computes the rest with lea. After: UCOPY_LEN4 (ecx := 4*ecx + reg) and
# plain UACCESS, landing inside the function.
	.include "macros.inc"
	era
	.macro	touch n, insn:vararg
T_f\n:
.Lsite\n:
	\insn
	.if	AFTER
	ex_type	.Lsite\n, .Lout, EX_UCOPY_LEN+EX_AX+4*EX_IMM
	.else
	ex_handler .Lsite\n, .Lrest, ex_handler_uaccess
	.endif
	.endm

	.text
	func	copy_user_words
	mov	%ecx, %eax
	shr	$2, %ecx
	touch	01, mov (%esi), %eax
	touch	02, mov 4(%esi), %edx
	touch	03, mov %eax, (%edi)
	touch	04, mov %edx, 4(%edi)
	touch	05, mov 8(%esi), %eax
	touch	06, mov 12(%esi), %edx
	touch	07, mov %eax, 8(%edi)
	touch	08, mov %edx, 12(%edi)
	touch	09, mov 16(%esi), %eax
	touch	10, mov 20(%esi), %edx
	touch	11, mov %eax, 16(%edi)
	touch	12, rep movsl
T_in1:
.Lout:
	mov	%ecx, %eax
	ret
	endf	copy_user_words

	func	clear_user_bytes
	xor	%eax, %eax
T_fb:
1:	rep stosb
T_in2:
2:	ret
	endf	clear_user_bytes

	.if	AFTER
	ex_type	1b, 2b, EX_UACCESS
	.else
	handler	ex_handler_uaccess
	.section .fixup, "ax"
.E_copy:
T_x1:
.Lrest:
	lea	(%eax,%ecx,4), %ecx
T_x1_last:
	jmp	.Lout
T_x2:
3:	lea	(%ecx), %ecx
T_x2_last:
	jmp	2b
	ex_handler 1b, 3b, ex_handler_uaccess
	.endif
