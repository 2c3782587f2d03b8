# Loading the user's GS selector. Before: an unsized anonymous block out of line
# with an ALTERNATIVE in it. The replacement is a jump, so one more block is
# reachable only where that alternative was applied. After: all in the function.
# The "before" variant has the 13-byte alternatives of 5.10 as first released.
	.if	!AFTER
	.set	EX_ALT, 13
	.endif
	.include "macros.inc"
	era
	.macro	bad_gs
	swapgs
11:	nop
	nop
	nop
	nop
	nop
12:
	.pushsection .altinstr_replacement, "ax"
13:	jmp	.Lzap
14:
	.popsection
	alternative 11b, 12b, 13b, 14b, 0x203, 5
	.endm

	.text
	func	asm_load_gs_index
	swapgs
T_f:
1:	mov	%edi, %gs
T_in:
2:	lfence
	swapgs
	ret
	.if	AFTER
T_land:
.Lbad_gs:
	bad_gs
T_land_back:
.Lback:
	xor	%eax, %eax
	mov	%eax, %gs
	jmp	2b
T_land_zap:
.Lzap:
	mov	$0x2b, %eax
	mov	%eax, %gs
T_land_last:
	jmp	.Lback
	ex_type	1b, .Lbad_gs, EX_DEFAULT
	.endif
	endf	asm_load_gs_index

	func	next_door
	nop
	ret
	endf	next_door

	.if	!AFTER
	handler	ex_handler_default
	.section .fixup, "ax"
.E_copy:
T_x1:
.Lbad_gs:
	bad_gs
T_x2:
.Lback:
	xor	%eax, %eax
T_x3:
	mov	%eax, %gs
T_x4:
	jmp	2b
T_zap1:
.Lzap:
	mov	$0x2b, %eax
T_zap2:
	mov	%eax, %gs
T_zap3:
	jmp	.Lback
T_gap:
	int3
	int3
	ex_handler 1b, .Lbad_gs, ex_handler_default
	.endif
