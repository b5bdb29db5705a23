# AIMSS is built by this one file; `make help` lists what it can do.
#
# Layers are folders of src/, and every .c file in one of them belongs to the library. All output
# lies under build/, or build-san-.../ with SAN=. configure writes build/config.mk and
# build/config.h; a plain `make` runs it. All paths are relative, so the tree may lie anywhere.

LAYERS := base env mem net log store dev connect state flow role api
comma := ,
B := build$(if $(SAN),-san-$(subst $(comma),-,$(SAN)))

# These need no configuration: they run before anything is installed, or after all is deleted.
BARE := help setup check check-long demo dist clean distclean
ifneq ($(filter-out $(BARE),$(or $(MAKECMDGOALS),all)),)
include build/config.mk
endif

SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes
COMPILE = $(CC) -std=c11 -D_GNU_SOURCE $(CPPFLAGS) $(CFLAGS) $(WARNINGS) -fPIC -pthread \
	$(SANFLAGS) -MMD -MP
LINK = $(CC) $(CFLAGS) $(SANFLAGS) -pthread $(LDFLAGS)
LIBS = $(LIB_LIBS) $(MPI_LIBS) -lm

# What a source file may see: the library and its tests everything, a user's program aimss.h only.
INSIDE = -Iinclude -Isrc -Ibuild $(MPI_CFLAGS) $(LIB_CFLAGS)
USER = -Iinclude $(MPI_CFLAGS)
REFERENCE = $(MPI_CFLAGS) $(LIB_CFLAGS)

LIB_SRC := $(foreach layer,$(LAYERS),$(wildcard src/$(layer)/*.c))
CLI_SRC := $(wildcard src/cli/*.c)
JOB_SRC := $(wildcard jobs/aimss-*.c)
SIM_SRC := $(wildcard mpi_tests/sim/*.c)
TEST_SRC := $(wildcard mpi_tests/*.c)
BENCH_SRC := $(wildcard bench/*.c)
REF_SRC := $(wildcard bench/ref/*.c)
PUBLIC_HEADERS := $(wildcard include/aimss.h include/aimss_mpi.h include/aimss/*.h)

LIB_OBJ := $(LIB_SRC:src/%.c=$B/obj/%.o)
CLI_OBJ := $(CLI_SRC:src/%.c=$B/obj/%.o)
JOB_OBJ := $(JOB_SRC:%.c=$B/obj/%.o)
SIM_OBJ := $(SIM_SRC:%.c=$B/obj/%.o)
TEST_OBJ := $(TEST_SRC:%.c=$B/obj/%.o)
BENCH_OBJ := $(BENCH_SRC:%.c=$B/obj/%.o)
REF_OBJ := $(REF_SRC:%.c=$B/obj/%.o)
OBJECTS := $(LIB_OBJ) $(CLI_OBJ) $(JOB_OBJ) $(SIM_OBJ) $(TEST_OBJ) $(BENCH_OBJ) $(REF_OBJ)

JOBS := $(JOB_SRC:jobs/%.c=$B/bin/%)
PROGRAMS := $(if $(CLI_SRC),$B/bin/aimss) $(JOBS)
TESTS := $(TEST_SRC:mpi_tests/%.c=$B/tests/%)
SIM_TESTS := $(filter $B/tests/sim_%,$(TESTS))
BENCHES := $(BENCH_SRC:bench/%.c=$B/bench/%)
REFERENCES := $(REF_SRC:bench/ref/%.c=$B/bench/%)

STATIC := $B/lib/libaimss.a
SONAME := libaimss.so.$(firstword $(subst ., ,$(VERSION)))
SHARED := $B/lib/libaimss.so.$(VERSION)

ifndef V
Q := @
SAY = @echo '  $1' '$(@:$B/%=%)';
endif

.PHONY: FORCE all tests benches install uninstall tidy mutants bench $(BARE)
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

all: $(STATIC) $(SHARED) $(PROGRAMS) $B/man/aimss.1 ## build libraries, aimss and jobs

tests: all $(TESTS) ## build all and the test programs

benches: all $(BENCHES) $(REFERENCES) ## build all, the benches and their references

help: ## list the targets
	@echo 'make [TARGET] [V=1] [SAN=address,undefined]'
	@sed -n 's/^\([a-z][a-z -]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 16

# ---- configuration

configure: configure.ac
	@command -v autoconf >/dev/null || \
	{ echo 'autoconf is missing; `make setup` gets all that the build needs' >&2; exit 1; }
	$Qautoconf
	$Qrm -rf autom4te.cache

build/config.mk: configure scripts/config.mk.in scripts/config.h.in
	$Qif [ -x config.status ]; then ./config.status --recheck && ./config.status; \
	else ./configure $(CONFIGURE_FLAGS); fi
	$Qtouch build/config.mk

build/config.h: ;

# ---- objects: what the compiler said stays beside each, for `make tidy`

$(OBJECTS): Makefile build/config.mk

$(LIB_OBJ) $(CLI_OBJ): $B/obj/%.o: src/%.c
	$(call compile,$(INSIDE))

$(SIM_OBJ) $(TEST_OBJ): $B/obj/%.o: %.c
	$(call compile,$(INSIDE) -Impi_tests $(CMOCKA_CFLAGS))

$(JOB_OBJ) $(BENCH_OBJ): $B/obj/%.o: %.c
	$(call compile,$(USER))

$(REF_OBJ): $B/obj/%.o: %.c
	$(call compile,$(REFERENCE))

define compile
	$(call SAY,CC)
	$Qmkdir -p $(@D); $(COMPILE) $1 -c -o $@ $< 2>$@.log; \
	status=$$?; cat $@.log >&2; exit $$status
endef

-include $(wildcard $(OBJECTS:.o=.d))

# ---- libraries and programs

# A removed source file must not live on in the archive.
ifdef VERSION
ifneq ($(strip $(file <$B/obj/members)),$(strip $(LIB_OBJ)))
$(shell mkdir -p $B/obj)
$(file >$B/obj/members,$(LIB_OBJ))
endif
endif

$(STATIC): $(LIB_OBJ) $B/obj/members
	$(call SAY,AR)
	$Qmkdir -p $(@D); rm -f $@; $(AR) rcs $@ $(LIB_OBJ)

$(SHARED): $(LIB_OBJ) $B/obj/members src/aimss.map
	$(call SAY,LD)
	$Qmkdir -p $(@D)
	$Q$(LINK) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=src/aimss.map \
		$(if $(SAN),,-Wl,-z,defs) -o $@ $(LIB_OBJ) $(LIBS)
	$Qln -sf $(@F) $(@D)/$(SONAME); ln -sf $(SONAME) $(@D)/libaimss.so

define link
	$(call SAY,LD)
	$Qmkdir -p $(@D); $(LINK) -o $@ $1
endef

$B/bin/aimss: $(CLI_OBJ) $(STATIC)
	$(call link,$^ $(LIBS))

$(JOBS): $B/bin/%: $B/obj/jobs/%.o $(STATIC)
	$(call link,$^ $(LIBS))

$(SIM_TESTS): $(SIM_OBJ)

$(TESTS): $B/tests/%: $B/obj/mpi_tests/%.o $(STATIC)
	$(call link,$(filter %.o,$^) $(STATIC) $(CMOCKA_LIBS) $(LIBS))

$(BENCHES): $B/bench/%: $B/obj/bench/%.o $(STATIC)
	$(call link,$^ $(LIBS))

$(REFERENCES): $B/bench/%: $B/obj/bench/ref/%.o
	$(call link,$^ $(ISAL_LIBS) $(MPI_LIBS) -lm)

# ---- for a person

PARALLEL = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

setup: ## install what is missing (Debian, Ubuntu), or name it
	$Qscripts/setup

demo: ## set up, build, and count the words of a corpus of real text with 4 ranks
	$Qscripts/demo

check: setup ## set up, build and run the tests
	$Q$(MAKE) --no-print-directory $(PARALLEL) tests
	$QB='$B' SAN='$(SAN)' mpi_tests/run_tests

check-long: setup ## the tests with their long forms, before an issue closes
	$Q$(MAKE) --no-print-directory $(PARALLEL) tests
	$QB='$B' SAN='$(SAN)' mpi_tests/run_tests --long

tidy: tests ## check layers, names, lengths, headers, warnings and symbols
	$QB='$B' mpi_tests/tidy

mutants: tests ## break the code in known ways and demand that the tests notice
	$Qscripts/mutants

BENCH_CASES := ingest push latency sum wordcount idle
.PHONY: $(BENCH_CASES:%=bench-%)

bench: benches ## run all benches, or one: bench-ingest, -push, -latency, -sum, -wordcount, -idle
	$Qfailed=0; for case in $(BENCH_CASES); do bench/run $$case || failed=1; done; exit $$failed

$(BENCH_CASES:%=bench-%): bench-%: benches
	$Qbench/run $*

# The command knows its options, so it writes that part of its page.
$B/man/aimss.1: $B/bin/aimss doc/aimss.1.in scripts/man
	$Qmkdir -p $(@D); scripts/man $B/bin/aimss doc/aimss.1.in >$@

# ---- installation

DEST = $(DESTDIR)$1
MAN1 = $B/man/aimss.1
MAN3 = $(wildcard doc/*.3)

$B/aimss.pc: src/aimss.pc.in FORCE
	@mkdir -p $(@D)
	@sed -e 's|@prefix@|$(prefix)|' -e 's|@exec_prefix@|$(exec_prefix)|' \
		-e 's|@libdir@|$(libdir)|' -e 's|@includedir@|$(includedir)|' \
		-e 's|@VERSION@|$(VERSION)|' -e 's|@LIBS@|$(LIBS)|' $< >$@

FORCE:

install: all $B/aimss.pc ## install below prefix (and DESTDIR)
	$Qinstall -d "$(call DEST,$(bindir))" "$(call DEST,$(libdir))/pkgconfig" \
		"$(call DEST,$(includedir))/aimss" "$(call DEST,$(mandir))/man1" \
		"$(call DEST,$(mandir))/man3"
	$Qinstall -m 644 $(STATIC) "$(call DEST,$(libdir))"
	$Qinstall -m 755 $(SHARED) "$(call DEST,$(libdir))"
	$Qln -sf $(notdir $(SHARED)) "$(call DEST,$(libdir))/$(SONAME)"
	$Qln -sf $(SONAME) "$(call DEST,$(libdir))/libaimss.so"
	$Qinstall -m 644 $B/aimss.pc "$(call DEST,$(libdir))/pkgconfig"
	$Qfor file in $(PROGRAMS); do install -m 755 $$file "$(call DEST,$(bindir))"; done
	$Qfor file in $(PUBLIC_HEADERS:include/%=%); do \
		install -m 644 include/$$file "$(call DEST,$(includedir))/$$file"; done
	$Qfor file in $(MAN1); do install -m 644 $$file "$(call DEST,$(mandir))/man1"; done
	$Qfor file in $(MAN3); do install -m 644 $$file "$(call DEST,$(mandir))/man3"; done

uninstall: ## remove what install put there
	$Qfor file in libaimss.a libaimss.so $(SONAME) $(notdir $(SHARED)) pkgconfig/aimss.pc; do \
		rm -f "$(call DEST,$(libdir))/$$file"; done
	$Qfor file in $(notdir $(PROGRAMS)); do rm -f "$(call DEST,$(bindir))/$$file"; done
	$Qfor file in $(PUBLIC_HEADERS:include/%=%); do \
		rm -f "$(call DEST,$(includedir))/$$file"; done
	$Qfor file in $(notdir $(MAN1)); do rm -f "$(call DEST,$(mandir))/man1/$$file"; done
	$Qfor file in $(notdir $(MAN3)); do rm -f "$(call DEST,$(mandir))/man3/$$file"; done
	$Q[ ! -d "$(call DEST,$(includedir))/aimss" ] || \
		rmdir --ignore-fail-on-non-empty "$(call DEST,$(includedir))/aimss"

# ---- housekeeping

dist: ## pack the source as aimss-VERSION.tar.gz
	$Qscripts/dist

clean: ## delete what was built, keep the configuration
	$Qrm -rf build-san-*
	$Q[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name 'config.*' -exec rm -rf {} +

distclean: ## delete all that is not source
	$Qrm -rf build build-san-* autom4te.cache configure config.log config.status
