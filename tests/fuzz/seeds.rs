fn main() {
    let _ = libfuzzer_sys::initialize as fn(_, _) -> _;
}
