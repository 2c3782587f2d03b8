# A vDSO with its own table: 8-byte entries relative to the START of the table, no
# third word. The fixup stands outside the function and jumps back into it.
	.include "macros.inc"
	.macro	exported name
	func	\name
	.endm
	.text
	exported vdso_enter_enclave
	push	%rbp
	mov	%rsp, %rbp
T_f1:
1:	enclu
T_in1:
2:	xor	%eax, %eax
.Lout:
	leave
	ret
	endf	vdso_enter_enclave
	exported vdso_resume
T_f2:
3:	enclu
T_in2:
.Ldone:
	ret
	endf	vdso_resume
	exported vdso_time
T_time:
	rdtsc
	ret
	endf	vdso_time

	.section .fixup, "ax"
T_x1:
4:	mov	%eax, 4(%rsp)
T_x1_mid:
	mov	$-14, %eax
T_x1_last:
	jmp	.Lout
T_x2:
5:	mov	$-14, %eax
T_x2_last:
	jmp	.Ldone
	ex_vdso	1b, 4b
	ex_vdso	3b, 5b
