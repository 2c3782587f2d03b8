# Inline user accessors. Before: mov $-EFAULT, clear the output, jump back; the
# 64-bit value in two registers clears both. After: EFAULT_REG with CLEAR_AX or
# both clear flags. In both eras: an asm-goto error label placed in foo.cold.
	.include "macros.inc"
	era
	.text
	func	fetch_one
	xor	%ecx, %ecx
T_f1:
1:	mov	(%rdi), %eax
T_in1:
2:	mov	%ecx, %edx
	ret
	endf	fetch_one

	func	fetch_pair
	xor	%ecx, %ecx
T_f2:
3:	mov	(%rdi), %eax
T_f3:
4:	mov	4(%rdi), %edx
T_in2:
5:	mov	%ecx, %esi
	ret
	endf	fetch_pair

	func	probe_path
T_f4:
6:	movzbl	(%rdi), %eax
T_in3:
	test	%eax, %eax
	jz	probe_path.cold
.Lprobe_out:
	ret
	endf	probe_path

	.section .text.unlikely, "ax"
	.type	other_cold, @function
other_cold:
	ud2
	endf	other_cold
	.type	probe_path.cold, @function
probe_path.cold:
T_cold:
	xor	%eax, %eax
	jmp	.Lprobe_out
T_cold_land:
7:	mov	$-14, %eax
T_cold_last:
	jmp	.Lprobe_out
	endf	probe_path.cold

	.if	AFTER
	ex_type	1b, 2b, EX_EFAULT_REG+EX_CX+EX_CLEAR_AX
	ex_type	3b, 5b, EX_EFAULT_REG+EX_CX+EX_CLEAR_AX+EX_CLEAR_DX
	ex_type	4b, 5b, EX_EFAULT_REG+EX_CX+EX_CLEAR_AX+EX_CLEAR_DX
	ex_type	6b, 7b, EX_UACCESS
	.else
	.text
	handler	ex_handler_uaccess
	.section .fixup, "ax"
.E_copy:
T_x1:
8:	mov	$-14, %ecx
T_x1_mid:
	xor	%eax, %eax
T_x1_last:
	jmp	2b
T_x2:
9:	mov	$-14, %ecx
T_x2_mid:
	xor	%eax, %eax
	xor	%edx, %edx
T_x2_last:
	jmp	5b
	ex_handler 1b, 8b, ex_handler_uaccess
	ex_handler 3b, 9b, ex_handler_uaccess
	ex_handler 4b, 9b, ex_handler_uaccess
	ex_handler 6b, 7b, ex_handler_uaccess
	.endif
