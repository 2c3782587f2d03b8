# The two-word entries of 3.5 to 4.5: instruction and fixup, both self-relative.
# Two of them carry the bias 0x7ffffff0 that means "also set the uaccess flag".
# Six entries: 48 bytes, which is a whole number of 12-byte entries as well.
	.include "macros.inc"
	banner	4.4.0-fixture
	.macro	read n
	func	read_\n
	xor	%ecx, %ecx
T_f\n:
.Lsite\n:
	mov	(%rdi), %eax
T_in\n:
.Lback\n:
	mov	%ecx, %edx
	ret
	endf	read_\n
	.pushsection .fixup, "ax"
T_x\n:
.Lfix\n:
	mov	$-14, %ecx
T_y\n:
	jmp	.Lback\n
	.popsection
	.endm
	.text
	read	1
	read	2
	read	3
	read	4
	read	5
	func	read_tail
T_f6:
6:	mov	(%rdi), %eax
T_in6:
7:	ret
	endf	read_tail
	ex_plain8 .Lsite1, .Lfix1
	ex_plain8_flag .Lsite2, .Lfix2
	ex_plain8 .Lsite3, .Lfix3
	ex_plain8_flag .Lsite4, .Lfix4
	ex_plain8 .Lsite5, .Lfix5
	ex_plain8 6b, 7b
