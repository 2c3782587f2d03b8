# A typed kernel without any out-of-line fixup: every landing is inside the
# function of its faulting instruction. No banner; only small type numbers, which
# the numberings of 5.16 and 5.17 share.
	.include "macros.inc"
	.text
	func	get_word
T_f1:
1:	mov	(%rdi), %eax
	xor	%edx, %edx
	ret
T_land1:
2:	mov	$-14, %edx
T_land1_last:
	ret
	endf	get_word
	func	put_word
T_f2:
3:	mov	%eax, (%rdi)
T_land2:
4:	ret
	endf	put_word
	func	try_word
T_f3:
5:	mov	(%rdi), %eax
T_land3:
6:	ret
	endf	try_word
	ex_type	1b, 2b, EX_UACCESS
	ex_type	3b, 4b, EX_UACCESS
	ex_type	5b, 6b, EX_DEFAULT
