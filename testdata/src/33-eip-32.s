# A 32-bit kernel with source lines: where an oops of i386 says EIP, a line is due. The DWARF is written by hand:
# one unit, two functions, lines by .loc.
	.include "macros.inc"
	era
	.file	1 "mm/lab.c"

	.text
.Lbegin:
	func	lab_fault
	.loc	1 11
	push	%ebp
	mov	%esp, %ebp
	.loc	1 12
1:	mov	0x24(%eax), %eax
	.loc	1 13
2:	pop	%ebp
	ret
	endf	lab_fault
.Lend_lab_fault:
	ex_handler 1b, 2b, ex_handler_uaccess

	func	lab_caller
	.loc	1 21
	push	%ebp
	mov	%esp, %ebp
	.loc	1 22
	xor	%eax, %eax
	call	lab_fault
	.loc	1 23
	pop	%ebp
	ret
	endf	lab_caller
.Lend_lab_caller:
.Lend:
	handler	ex_handler_uaccess

	.macro	attribute at, form
	.uleb128 \at, \form
	.endm

	.section .debug_abbrev, ""
.Labbreviations:
	.uleb128 1			# DW_TAG_compile_unit, with children
	.uleb128 0x11
	.byte	1
	attribute 0x03, 0x08		# name: string
	attribute 0x10, 0x17		# stmt_list: sec_offset
	attribute 0x11, 0x01		# low_pc: addr
	attribute 0x12, 0x06		# high_pc: data4
	attribute 0x13, 0x05		# language: data2
	attribute 0, 0
	.uleb128 2			# DW_TAG_subprogram, without
	.uleb128 0x2e
	.byte	0
	attribute 0x03, 0x08
	attribute 0x11, 0x01
	attribute 0x12, 0x06
	attribute 0, 0
	.byte	0

	.section .debug_info, ""
	.long	.Lend_of_unit - .Lunit
.Lunit:
	.short	4
	.long	.Labbreviations
	.byte	4
	.uleb128 1
	.asciz	"mm/lab.c"
	.long	.Llines
	.long	.Lbegin
	.long	.Lend - .Lbegin
	.short	0x0c			# DW_LANG_C99
	.irp	name, lab_fault, lab_caller
	.uleb128 2
	.asciz	"\name"
	.long	\name
	.long	.Lend_\name - \name
	.endr
	.byte	0
.Lend_of_unit:

	.section .debug_line, ""
.Llines:
