"""The function behind an address; here a fixup that four functions share."""
import fixtrace

session = fixtrace.Session("testdata/fixtures/demo-5.10.elf")
frame = session.attribute(0xFFFFFFFF81538E19)
print(f"{frame}, {frame.certainty}")
for candidate in frame.candidates:
    print("it may be", candidate)
