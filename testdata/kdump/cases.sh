# shellcheck shell=bash disable=SC2034
# Sourced by boot.sh: what guests die of.
# NAME: CPU model | CPUs | memory | words of the kernel's command line. Of QEMU's NMI only the first CPU hears otherwise.
RESERVED=160M
plain='max,la57=off | 4 | 480M |'
declare -A CASE=(
  [init]=$plain       # init exits
  [null]=$plain       # a null pointer below a system call, in a module
  [gp]=$plain         # an address that is none
  [panic]=$plain      # panic() in a system call
  [irq]=$plain        # in a timer's interrupt
  [ipi]=$plain        # in a function that another CPU was sent
  [bug]=$plain        # BUG() in a worker's thread
  [df]=$plain         # the stack's guard page: double fault
  [sysrq]=$plain      # the key that crashes
  [unload]=$plain     # in the exit function of a module
  [deaf]="$plain apic_extnmi=all" # CPU 1 is in an NMI handler for ever, CPU 0 crashes
  [offline]=$plain    # CPU 1 was taken offline
  [nmi]="$plain apic_extnmi=all" # panic() in a module's NMI handler
  [unknown]=$plain    # the kernel's own panic over an NMI that nobody knows
  [softlockup]=$plain # the watchdog's panic
  [hung]=$plain       # the hung-task detector's
  [many]='max,la57=off | 32 | 640M |' # panic on the seventeenth of 32 CPUs
  [la57]='max | 4 | 480M |'           # null, with page tables of five levels
  [pti]="$plain pti=on"               # null, with two page tables per process
  [nopti]="$plain pti=off"
)
CASES='init null gp panic irq ipi bug df sysrq unload deaf offline nmi unknown softlockup hung la57 pti nopti many'
