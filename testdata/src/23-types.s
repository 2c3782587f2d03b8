# One entry of every type 1 to 21 of the numbering used since 5.17, with registers,
# both clear flags and signed immediates, and one of a type nobody knows (77).
# Every load is followed by its own landing.
	.include "macros.inc"
	banner	7.2.0-fixture
	.macro	one n, data
T_f\n:
1:	mov	(%rdi), %rax
T_l\n:
2:	nop
	ex_type	1b, 2b, \data
	.endm
	.text
	func	all_types
	one	01, EX_DEFAULT
	one	02, EX_FAULT
	one	03, EX_UACCESS+EX_CLEAR_AX
	one	04, EX_COPY
	one	05, EX_CLEAR_FS
	one	06, EX_FPU_RESTORE
	one	07, EX_BPF
	one	08, EX_WRMSR
	one	09, EX_RDMSR
	one	10, EX_WRMSR_SAFE+EX_R15
	one	11, EX_RDMSR_SAFE+EX_BX
	one	12, EX_WRMSR_IN_MCE
	one	13, EX_RDMSR_IN_MCE
	one	14, EX_DEFAULT_MCE_SAFE
	one	15, EX_FAULT_MCE_SAFE
	one	16, EX_POP_REG+EX_SI-1*EX_IMM
	one	17, EX_EFAULT_REG+EX_R9+EX_CLEAR_AX+EX_CLEAR_DX
	one	18, EX_FAULT_SGX
	one	19, EX_UCOPY_LEN+EX_DX+4*EX_IMM
	one	20, EX_ZEROPAD+EX_AX
	one	21, EX_ERETU
	one	77, 77+EX_DI+EX_CLEAR_DX-2*EX_IMM
T_in:
	ret
	endf	all_types
