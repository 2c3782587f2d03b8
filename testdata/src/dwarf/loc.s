# Debug information written by hand. Lines: line 0, columns, lines that go back, a file used in between, two rows at
# one address. Entries: names by way of origin and specification, calls without file or line, a call within a call of
# the same function, an entry without any code. VERSION is that of DWARF.
	.text
	.if VERSION >= 5
	.file	0 "/build/mini" "loc.c"
	.endif
	.file	1 "first.c"
	.file	2 "sub/second.h"
	.globl	by_hand
	.type	by_hand, @function
by_hand:
	.loc	1 10 1
	nop
	.loc	1 11 7
	nop
	nop
	.loc	1 0 0
	nop
	nop
	.loc	2 300 200
	nop
	.loc	1 12 0
	nop
	.loc	2 5 3 is_stmt 0
	nop
	.loc	2 5 3 is_stmt 1 discriminator 7
	nop
	.loc	1 70000 9
	nop
	.loc	1 3 2 prologue_end
	nop
	.loc	1 0 5
	nop
	.loc	1 4 2 epilogue_begin
	ret
.Lby_hand_end:
	.size	by_hand, . - by_hand

	.section .text.second, "ax", @progbits
	.globl	another_sequence
	.type	another_sequence, @function
another_sequence:
	.loc	2 40 4
	nop
.Louter:
	.loc	2 41 4
	.loc	2 42 4
	nop
.Linner:
	.loc	1 43 4
	nop
	.loc	1 0 0
	nop
.Linner_end:
	.loc	2 44 4
	nop
.Louter_end:
	.loc	2 45 1
	ret
.Lanother_end:
	.size	another_sequence, . - another_sequence

	.section .debug_line, "", @progbits
.Lline:

	.section .debug_abbrev, "", @progbits
.Labbrev:
	.macro	abbrev code tag children attributes:vararg
	.byte	\code, \tag, \children, \attributes, 0, 0
	.endm
	# unit: name, comp_dir, stmt_list, low_pc, high_pc
	abbrev	1, 0x11, 1, 0x03, 0x08, 0x1b, 0x08, 0x10, 0x17, 0x11, 0x01, 0x12, 0x01
	# function with code: name, low_pc, high_pc as an address
	abbrev	2, 0x2e, 1, 0x03, 0x08, 0x11, 0x01, 0x12, 0x01
	# declaration: name, linkage name
	abbrev	3, 0x2e, 0, 0x03, 0x08, 0x6e, 0x08
	# abstract: specification, inline
	abbrev	4, 0x2e, 0, 0x47, 0x13, 0x20, 0x0b
	# inlined: origin, low_pc, high_pc as a size
	abbrev	5, 0x1d, 1, 0x31, 0x13, 0x11, 0x01, 0x12, 0x06
	# inlined: origin, low_pc, high_pc, call_file, call_line, call_column
	abbrev	6, 0x1d, 0, 0x31, 0x13, 0x11, 0x01, 0x12, 0x06, 0x58, 0x0b, 0x59, 0x05, 0x57, 0x0b
	# function whose only description is its origin
	abbrev	7, 0x2e, 1, 0x31, 0x13, 0x11, 0x01, 0x12, 0x01
	# abstract: name, inline
	abbrev	8, 0x2e, 0, 0x03, 0x08, 0x20, 0x0b
	.byte	0

	.section .debug_info, "", @progbits
.Lunit:
	.long	.Lend - .Lbegin
.Lbegin:
	.short	VERSION
	.if VERSION >= 5
	.byte	1, 8
	.long	.Labbrev
	.else
	.long	.Labbrev
	.byte	8
	.endif
	.uleb128 1
	.string	"loc.c"
	.string	"/build/mini"
	.long	.Lline
	.quad	by_hand, .Lanother_end
.Ldeclared:
	.uleb128 3
	.string	"helper"
	.string	"_RNvC4mini6helper"
.Lspecified:
	.uleb128 4
	.long	.Ldeclared - .Lunit
	.byte	1
.Lnamed:
	.uleb128 8
	.string	"another_sequence"
	.byte	0
	.uleb128 2
	.string	"by_hand"
	.quad	by_hand, .Lby_hand_end
	.byte	0
	.uleb128 7
	.long	.Lnamed - .Lunit
	.quad	another_sequence, .Lanother_end
	# a call from nowhere
	.uleb128 5
	.long	.Lspecified - .Lunit
	.quad	.Louter
	.long	.Louter_end - .Louter
	# that calls itself
	.uleb128 6
	.long	.Lspecified - .Lunit
	.quad	.Linner
	.long	.Linner_end - .Linner
	.byte	2
	.short	50000
	.byte	99
	.byte	0
	# a call without code
	.uleb128 6
	.long	.Lspecified - .Lunit
	.quad	.Linner
	.long	0
	.byte	1
	.short	1
	.byte	1
	.byte	0
	.byte	0
.Lend:
