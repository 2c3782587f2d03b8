//! Attribution on fixtures assembled from our own sources: the constructs that the patch series of November
//! 2021 touched, before and after, and the shapes around them. `testdata/fixtures/expected.tsv` is made from
//! labels in the sources by `testdata/src/build.sh`; fixtrace has no part in it.

use crate::common::{fixture, place, testdata};
use fixtrace::low::base::addr::Pc;
use fixtrace::low::engine::attribute::{attribute, attribute_called};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::kernel::Located;

/// Checks every row of `expected.tsv` whose file name begins with one of `prefixes`.
fn holds(prefixes: &[&str]) {
    let rows = std::fs::read_to_string(testdata("fixtures/expected.tsv")).expect("expected.tsv");
    let mut checked = 0;
    let mut wrong = Vec::new();
    let storage = Storage::new();
    let mut open: Option<(String, fixtrace::low::world::image::Image<'_>)> = None;
    for row in rows
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty())
    {
        let [file, pc, caller, certainty, functions, reason] =
            row.split('\t').collect::<Vec<_>>()[..]
        else {
            panic!("{row}");
        };
        if !prefixes.iter().any(|p| file.starts_with(p)) {
            continue;
        }
        if open.as_ref().is_none_or(|(name, _)| name != file) {
            open = Some((file.to_owned(), fixture(file, &storage)));
        }
        let image = &open.as_ref().expect("opened").1;
        let pc_there = Pc::Exact(place(image, pc));
        let a = match caller {
            "-" => attribute(image, pc_there),
            ret => {
                let ret = Located::linked(image, place(image, ret));
                attribute_called(image, pc_there, ret, &[image]).into_owned()
            }
        };
        let mut names: Vec<&str> = a.candidates.iter().map(|f| &*f.name).collect();
        names.sort_unstable();
        let found = (a.certainty.name(), names.join(","));
        let wanted = (certainty, functions.trim_matches('-').to_owned());
        if found != wanted {
            wrong.push(format!(
                "{file} {pc} ({reason}): wanted {wanted:?}, found {found:?} {:?}",
                a.remarks
            ));
        }
        checked += 1;
    }
    assert!(checked > 0, "no rows for {prefixes:?}");
    assert!(
        wrong.is_empty(),
        "{} of {checked} rows differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

macro_rules! constructs {
    ($($name:ident: $($prefix:literal)+;)*) => {$(
        #[test]
        fn $name() {
            holds(&[$($prefix),+]);
        }
    )*};
}

constructs! {
    construct_01_restore_regs_pops_segments_again: "01-";
    construct_02_sysenter_fs_is_stored_as_zero: "02-";
    construct_03_named_iret_error_is_still_a_fixup: "03-";
    construct_04_bad_gs_has_alternatives_inside: "04-";
    construct_05_futex_instructions_share_a_fixup: "05-";
    construct_06_msr_safe_gives_eio: "06-";
    construct_07_loadsegment_tries_again: "07-";
    construct_08_sgx_leaf_faults: "08-";
    construct_09_get_user_asm_lands_in_cold_code: "09-";
    construct_10_zeropad_faults_inside_its_fixup: "10-";
    construct_11_xen_safe_access: "11-";
    construct_12_fpu_instruction_is_an_alternative_site: "12-";
    construct_13_ftrace_sets_a_flag: "13-";
    construct_14_fastops_share_a_named_stub: "14-";
    construct_15_vmread_fixup_pushes_and_calls: "15-";
    construct_16_vmx_label_lies_in_cold_code: "16-";
    construct_17_checksum_clears_eax: "17-";
    construct_18_copy_mc_labels_capture_nothing: "18-";
    construct_19_copy_user_tail_is_shared: "19-";
    construct_20_mmx_fixup_patches_code: "20-";
    construct_21_usercopy_many_instructions_one_fixup: "21-";
    construct_22_clear_user_computes_the_rest: "22-";
    construct_23_every_type_of_both_numberings: "23-";
    construct_24_immediates_are_signed: "24-";
    construct_25_a_kernel_without_fixup_section: "25-";
    shared_get_user_tail_needs_its_caller: "26-";
    eretu_is_a_fresh_entry: "27-";
    vdso_table_is_read: "28-";
    plain_rows_of_8_bytes_are_read: "29-";
    fixup_code_in_a_circle_ends: "30-";
    cold_parts_of_equal_names_find_their_parents: "31-";
    return_thunks_are_returns: "32-";
    the_demo_image_answers_like_the_real_kernel: "demo-5.10";
}
