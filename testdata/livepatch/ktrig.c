/* ktrig CASE [ARGUMENT...]: one task that sleeps in one place, or runs; its comm is CASE. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>

#define PG 4096

static int args;
static char **arg;
static int pfd[2]; /* a pipe that nobody writes to */

static void name(const char *text) { prctl(PR_SET_NAME, text); }

static void nap(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	nanosleep(&t, 0);
}

static void pin(int cpu)
{
	cpu_set_t s;
	CPU_ZERO(&s);
	CPU_SET(cpu, &s);
	sched_setaffinity(0, sizeof s, &s);
}

/* A page that nobody ever fills: who touches it sleeps. */
static int uffd_page(char **p)
{
	int u = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api a = { .api = UFFD_API };
	*p = mmap(0, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register r = { .range = { (uintptr_t)*p, PG }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	if (u < 0 || ioctl(u, UFFDIO_API, &a) || ioctl(u, UFFDIO_REGISTER, &r)) {
		perror("uffd");
		exit(1);
	}
	return u;
}

/* ---- the kernel's own places ---- */

static long s_pipe(void)
{
	char b;
	return read(pfd[0], &b, 1);
}
static long s_futex(void)
{
	int f = 0;
	return syscall(SYS_futex, &f, FUTEX_WAIT, 0, 0, 0, 0);
}
static long s_nano(void)
{
	nap(100000000);
	return 0;
}
static long s_poll(void)
{
	struct pollfd p = { pfd[0], POLLIN, 0 };
	return poll(&p, 1, -1);
}
static long s_epoll(void)
{
	int e = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN };
	epoll_ctl(e, EPOLL_CTL_ADD, pfd[0], &ev);
	return epoll_wait(e, &ev, 1, -1);
}
static long s_select(void)
{
	fd_set s;
	FD_ZERO(&s);
	FD_SET(pfd[0], &s);
	return select(pfd[0] + 1, &s, 0, 0, 0);
}
static long s_unix(void)
{
	int s[2];
	char b;
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	return read(s[0], &b, 1);
}
static long s_wait(void)
{
	if (!fork())
		pause();
	return wait(0);
}
static long s_stop(void) { return raise(SIGSTOP); }
static long zombie(void)
{
	if (!fork())
		_exit(0);
	return pause();
}
/* in copy_user, by a page fault */
static long s_uffd(void)
{
	char *p;
	uffd_page(&p);
	return write(pfd[1], p, 64);
}
/* random [CPU]: until the generator is ready; with a CPU as its least task, so that it stays where it was preempted */
static long s_random(void)
{
	struct sched_param s = { 0 };
	char b[8];
	if (args > 0) {
		pin(atoi(arg[0]));
		sched_setscheduler(0, SCHED_IDLE, &s);
	}
	return syscall(SYS_getrandom, b, 8, 0);
}
/* u_spin [CPU [NICE]]: runs in user space */
static long u_spin(void)
{
	if (args > 0)
		pin(atoi(arg[0]));
	if (args > 1)
		setpriority(PRIO_PROCESS, 0, atoi(arg[1]));
	for (;;)
		asm volatile("" ::: "memory");
}
/* runs in the kernel */
static long k_zero(void)
{
	int z = open("/dev/zero", O_RDONLY);
	char *b = malloc(1 << 20);
	while (read(z, b, 1 << 20) >= 0)
		;
	return 0;
}

/* ---- copy_user's tail: the first fault is refused (PROT_NONE); that of the tail copy, which is fixup code, is not, and
 * waits for the userfaultfd. A race; who won it is seen in the kernel's own print of the stack. ---- */
static char *race_page;
static int race_pipe[2];
static volatile int race_tid;

static void *race_writer(void *x)
{
	char b[64];
	pin(1);
	name("s_uffdtail");
	race_tid = syscall(SYS_gettid);
	for (;;)
		if (write(race_pipe[1], race_page, 64) >= 0 && read(race_pipe[0], b, 64) < 0)
			return x;
}
static int in_tail(void)
{
	char f[64], b[4096];
	int d, n;
	sprintf(f, "/proc/self/task/%d/stack", race_tid);
	d = open(f, O_RDONLY);
	n = read(d, b, sizeof b - 1);
	close(d);
	if (n <= 0)
		return 0;
	b[n] = 0;
	/* where .Lcopy_user_handle_tail of 5.10.223 is */
	return strstr(b, "handle_userfault") && strstr(b, "copy_user_enhanced_fast_string+0x27/");
}
static long s_uffdtail(void)
{
	struct uffdio_range w;
	struct uffd_msg m;
	pthread_t t;
	volatile long i;
	long n;
	int u = uffd_page(&race_page);
	if (pipe(race_pipe))
		return -1;
	name("uffdrace");
	pin(0);
	pthread_create(&t, 0, race_writer, 0);
	mprotect(race_page, PG, PROT_READ);
	/* n varies how soon the page is allowed again */
	for (n = 0;; n++) {
		if (read(u, &m, sizeof m) != sizeof m) {
			sched_yield();
			continue;
		}
		nap(10);
		if (in_tail()) {
			printf("ktrig: writer %d sleeps below the tail of the copy after %ld rounds\n", race_tid, n);
			close(open("/tmp/tail", O_CREAT | O_WRONLY, 0600));
			pause();
		}
		mprotect(race_page, PG, PROT_NONE);
		w.start = (uintptr_t)race_page;
		w.len = PG;
		ioctl(u, UFFDIO_WAKE, &w);
		for (i = 0; i < n % 400 * 40; i++)
			;
		mprotect(race_page, PG, PROT_READ);
	}
}

/* ---- a sleepable BPF program, which copies from a page that nobody fills. Without BTF or a library: Linux 5.14. ---- */
#ifndef BPF_F_SLEEPABLE
#define BPF_F_SLEEPABLE (1U << 4)
#endif
static long b_bpf(void)
{
	static char log[65536];
	char *page;
	/* int prog(void **ctx) { char b[8]; return bpf_copy_from_user(b, 8, *ctx); } */
	struct bpf_insn insns[] = {
		{ BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_3, BPF_REG_1, 0, 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_10, 0, 0 },
		{ BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, -8 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 8 },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, 148 /* BPF_FUNC_copy_from_user */ },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	union bpf_attr a;
	int fd;
	uffd_page(&page);
	memset(&a, 0, sizeof a);
	a.prog_type = 31; /* BPF_PROG_TYPE_SYSCALL */
	a.insns = (uintptr_t)insns;
	a.insn_cnt = sizeof insns / sizeof *insns;
	a.license = (uintptr_t)"GPL";
	a.prog_flags = BPF_F_SLEEPABLE;
	a.log_buf = (uintptr_t)log;
	a.log_size = sizeof log;
	a.log_level = 1;
	strcpy(a.prog_name, "sleeper");
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a);
	if (fd < 0) {
		printf("ktrig: BPF: %s %s\n", strerror(errno), log);
		return -1;
	}
	memset(&a, 0, sizeof a);
	a.test.prog_fd = fd;
	a.test.ctx_in = (uintptr_t)&page;
	a.test.ctx_size_in = sizeof page;
	return syscall(SYS_bpf, BPF_PROG_TEST_RUN, &a, sizeof a);
}

/* ---- a function that is called by a BPF trampoline, as it is while a program looks at what it returns ---- */
static unsigned btf_function(const char *name)
{
	/* bytes behind a type of each kind: fixed, and for each member */
	static const char fixed[] = { 0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0 };
	static const char each[] = { 0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12 };
	static char b[32 << 20];
	unsigned *h = (unsigned *)b, *t, id, kind; /* magic and flags, header, types' offset and size, strings' offset */
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY), n, size = 0;
	char *at, *strings;
	while ((n = read(fd, b + size, sizeof b - size)) > 0)
		size += n;
	close(fd);
	if (size < 24)
		return 0;
	at = b + h[1] + h[2];
	strings = b + h[1] + h[4];
	for (id = 1; at < b + h[1] + h[2] + h[3]; id++) {
		t = (unsigned *)at;
		kind = t[1] >> 24 & 31;
		if (kind >= sizeof fixed)
			return 0;
		if (kind == 12 && !strcmp(strings + t[0], name))
			return id;
		at += 12 + fixed[kind] + each[kind] * (t[1] & 0xffff);
	}
	return 0;
}
static long b_fexit(void)
{
	struct bpf_insn insns[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	union bpf_attr a;
	fd_set s;
	int fd;
	memset(&a, 0, sizeof a);
	a.prog_type = 26; /* BPF_PROG_TYPE_TRACING */
	a.expected_attach_type = 25; /* BPF_TRACE_FEXIT */
	a.attach_btf_id = btf_function("core_sys_select");
	a.insns = (uintptr_t)insns;
	a.insn_cnt = sizeof insns / sizeof *insns;
	a.license = (uintptr_t)"GPL";
	strcpy(a.prog_name, "watcher");
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a);
	printf("ktrig: BPF: function %u, program %d\n", a.attach_btf_id, fd);
	memset(&a, 0, sizeof a);
	a.raw_tracepoint.prog_fd = fd;
	if (fd < 0 || syscall(SYS_bpf, BPF_RAW_TRACEPOINT_OPEN, &a, sizeof a) < 0) {
		printf("ktrig: BPF: %s\n", strerror(errno));
		return -1;
	}
	FD_ZERO(&s);
	FD_SET(pfd[0], &s);
	return syscall(SYS_select, pfd[0] + 1, &s, 0, 0, 0);
}

/* ---- psel CPU: system calls with an argument at an address that does not exist, again and again; the fault of
 * __x64_sys_pselect6 leads to a fixup. ---- */
static long psel(void)
{
	char *p = mmap(0, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pin(atoi(arg[0]));
	munmap(p, PG);
	for (;;)
		syscall(SYS_pselect6, 0, 0, 0, 0, 0, p);
}

/* sample CPU PID NAME: preempts whatever runs on the CPU, thousands of times, until NAME is in the kernel's own print of
 * PID's stack; then it keeps the CPU, so that PID stays where it was preempted. */
static long sample(void)
{
	struct sched_param s = { 1 };
	char f[64], b[4096];
	int d, n;
	long i;
	sprintf(f, "/proc/%s/stack", arg[1]);
	pin(atoi(arg[0]));
	sched_setscheduler(0, SCHED_FIFO, &s);
	srand(1);
	for (i = 1;; i++) {
		struct timespec t = { 0, 500000 + rand() % 500000 };
		nanosleep(&t, 0);
		d = open(f, O_RDONLY);
		n = read(d, b, sizeof b - 1);
		close(d);
		b[n > 0 ? n : 0] = 0;
		if (strstr(b, arg[2]))
			break;
	}
	printf("ktrig: preempted in %s at try %ld\n", arg[2], i);
	close(open("/tmp/sampled", O_CREAT | O_WRONLY, 0600));
	for (;;)
		asm volatile("" ::: "memory");
}
/* above PID: runs before all that `sample` holds up */
static long above(void)
{
	struct sched_param s = { 50 };
	exit(sched_setscheduler(atoi(arg[0]), SCHED_FIFO, &s) != 0);
}

/* kop NAME [HOW]: a place of lab.ko, as l_NAME */
static long kop(void)
{
	char b[64], comm[16], *p;
	int i, d;
	b[0] = 0;
	for (i = 0; i < args; i++) {
		if (i)
			strcat(b, " ");
		strcat(b, arg[i]);
	}
	snprintf(comm, sizeof comm, "l_%s", arg[0]);
	name(comm);
	if (!strcmp(arg[0], "fixtouch")) {
		uffd_page(&p);
		sprintf(b, "fixtouch 0 %lu", (unsigned long)p);
	}
	d = open("/proc/kop", O_WRONLY);
	return write(d, b, strlen(b));
}

/* zz TENTHS: sleeps so long */
static long zz(void)
{
	nap(atoi(arg[0]) * 100);
	exit(0);
}

static const struct {
	const char *name;
	long (*run)(void);
	int args;
} cases[] = {
	{ "zz", zz, 1 },	 { "s_pipe", s_pipe, 0 },     { "s_futex", s_futex, 0 },	 { "s_nano", s_nano, 0 },
	{ "s_poll", s_poll, 0 }, { "s_epoll", s_epoll, 0 },   { "s_select", s_select, 0 }, { "s_unix", s_unix, 0 },
	{ "s_wait", s_wait, 0 }, { "s_stop", s_stop, 0 },     { "zombie", zombie, 0 },	 { "s_uffd", s_uffd, 0 },
	{ "u_spin", u_spin, 0 }, { "k_zero", k_zero, 0 },     { "random", s_random, 0 },	 { "s_uffdtail", s_uffdtail, 0 },
	{ "b_bpf", b_bpf, 0 },	 { "b_fexit", b_fexit, 0 },   { "psel", psel, 1 },	      { "sample", sample, 3 },	 { "above", above, 1 },
	{ "kop", kop, 1 },
};

int main(int c, char **v)
{
	unsigned i;
	long r;
	args = c - 2;
	arg = v + 2;
	if (c < 2 || pipe(pfd))
		return 1;
	setvbuf(stdout, 0, _IONBF, 0);
	name(v[1]);
	for (i = 0; i < sizeof cases / sizeof *cases; i++)
		if (!strcmp(v[1], cases[i].name) && args >= cases[i].args) {
			r = cases[i].run();
			printf("ktrig: %s %d r=%ld errno=%d\n", v[1], getpid(), r, r < 0 ? errno : 0);
			return 0;
		}
	printf("ktrig: no case %s\n", v[1]);
	return 2;
}
