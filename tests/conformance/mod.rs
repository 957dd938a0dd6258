//! What every engine has to do, whoever lives behind the port: one file per noun, one function per
//! sentence.
//!
//! A case takes a [`Case`] (engine, image and names of its own) and panics where the engine does
//! otherwise. It waits only for what the engine answers, so it runs in virtual time as well. The
//! commands that run in containers are those of [`commands`]: a simulated engine scripts them.
//!
//! [`for_each_case`] is the list of all; [`for_each_shell_case`] of those that need a real shell.

pub mod builds;
pub mod case;
pub mod commands;
pub mod containers;
pub mod events;
pub mod exec;
pub mod files;
pub mod images;
pub mod logs;
pub mod networks;
pub mod shell;
pub mod usage;
pub mod volumes;

pub use case::{Case, Fixture};

/// Calls `$with!` with all cases that any engine passes, as `noun: [case, …], …`.
macro_rules! for_each_case {
    ($with:ident) => {
        $with! {
            containers: [
                a_container_is_created_started_and_stopped_once,
                a_container_without_its_image_is_not_created,
                a_taken_name_is_a_conflict,
                a_container_is_renamed_unless_the_name_is_taken,
                a_restart_policy_is_changed_while_it_runs_and_while_it_does_not,
                an_unknown_container_is_not_found_by_any_call,
                a_name_that_is_no_name_is_not_found,
                waiting_gives_the_exit_code,
                killing_ends_a_container_with_128_and_the_signal,
                a_deaf_container_is_killed_after_its_grace,
                restarting_runs_a_container_again,
                a_running_container_is_removed_only_by_force,
                anonymous_volumes_go_with_their_container_if_asked,
                the_list_tells_state_and_exit_code,
                values_of_another_form_than_the_engines_are_refused_when_a_container_is_made,
                a_command_that_does_not_exist_fails_at_start,
                a_host_port_is_refused_at_start_if_it_is_taken,
                a_host_port_is_taken_for_the_addresses_that_it_is_published_on,
                a_stopped_container_lets_go_of_its_host_port,
                a_health_check_is_kept_and_starts_as_starting,
                a_failing_container_is_started_again_as_often_as_its_policy_says,
                a_container_is_found_by_the_beginning_of_its_id,
                a_container_that_removes_itself_is_gone_after_its_end,
            ],
            logs: [
                a_log_holds_both_outputs_apart,
                a_log_is_cut_to_its_tail,
                following_a_log_ends_with_the_container,
                timestamps_begin_each_line,
                a_terminals_log_is_raw,
                each_message_of_a_log_is_a_chunk,
                a_long_line_comes_in_parts_of_one_time,
                since_and_until_are_exact_to_the_nanosecond,
                a_tail_is_taken_before_until,
                a_log_goes_on_over_starts,
                following_ends_with_the_process_also_where_it_is_restarted,
                a_log_that_its_driver_does_not_keep_is_unsupported,
            ],
            files: [
                a_file_is_uploaded_and_downloaded,
                a_path_that_does_not_exist_is_not_found,
                a_read_only_container_takes_no_files,
            ],
            exec: [
                output_is_complete_and_the_exit_code_known_at_its_end,
                environment_user_and_folder_are_the_requests,
                input_reaches_the_process_until_it_is_closed,
                a_process_that_does_not_read_ends_all_the_same,
                a_terminal_has_one_raw_output,
                a_command_that_does_not_exist_ends_with_126_or_127,
                a_container_that_does_not_run_is_a_conflict,
                an_unknown_exec_is_not_found,
                dropping_a_session_does_not_end_the_process,
                a_process_is_found_by_its_mark_and_ended,
                a_process_of_another_user_is_not_found,
                a_process_is_found_by_the_same_user_however_that_is_named,
                a_process_that_ignores_term_is_killed,
            ],
            images: [
                an_import_has_the_changes_asked_for,
                a_container_has_its_images_labels_but_for_those_it_was_given,
                a_tag_is_another_name_of_the_same_image,
                an_image_is_known_by_every_spelling_of_its_name,
                an_image_in_use_is_removed_only_by_force,
                an_unknown_image_is_not_found,
                an_unreachable_registry_is_told_by_pull_push_and_digest,
            ],
            builds: [
                a_build_ends_with_its_image_under_every_tag,
                the_same_build_gives_the_same_image,
                a_build_without_its_dockerfile_or_target_fails,
                a_name_is_the_image_s_that_was_built_last,
                the_labels_of_a_build_go_over_those_of_its_dockerfile_and_base,
                a_step_fails_without_the_secret_that_it_requires,
                a_mount_that_no_builder_takes_fails_the_build,
                an_unread_secret_changes_no_image,
            ],
            networks: [
                a_network_is_created_found_and_removed,
                an_endpoint_has_its_address_and_aliases,
                a_network_in_use_is_not_removed,
                a_taken_subnet_is_a_conflict,
                a_taken_address_is_refused_at_start,
                a_networks_own_addresses_are_refused_at_start,
                a_stopped_container_is_put_on_a_network_that_was_made_again,
                an_unknown_network_is_not_found,
                a_container_whose_network_is_gone_does_not_start,
                an_address_outside_the_subnet_is_refused,
            ],
            usage: [
                a_running_container_uses_memory_and_one_reading_ends,
                readings_go_on_until_the_container_is_gone,
                a_container_that_does_not_run_uses_nothing,
                the_disk_holds_images_containers_and_volumes,
            ],
            volumes: [
                a_volume_is_created_once_found_and_removed,
                a_volume_in_use_is_not_removed,
                an_unknown_volume_is_not_found_unless_forced,
                a_volume_that_binds_a_folder_keeps_its_device_as_given_and_needs_the_folder_at_the_start,
                a_volumes_options_are_known_ones_and_name_a_device,
                a_mount_makes_a_volume_with_the_options_it_names,
                the_lists_tell_what_a_volume_stands_for_and_what_is_mounted,
            ],
            events: [
                the_engine_tells_its_version_and_its_time,
                a_subscription_misses_nothing_and_tells_nothing_older,
                events_can_be_asked_for_since_a_time,
                events_are_filtered_by_type_and_action,
                the_end_of_an_exec_and_of_a_container_is_reported,
                a_life_is_told_in_order,
            ],
        }
    };
}

/// Calls `$with!` with the cases whose commands do more than a simulated engine scripts.
macro_rules! for_each_shell_case {
    ($with:ident) => {
        $with! {
            shell: [
                large_output_is_complete,
                binary_output_of_a_terminal_is_untouched,
                a_build_tells_its_steps_and_their_output,
                a_second_build_is_answered_from_the_cache,
                a_failing_build_step_is_told_with_its_code_and_output,
                a_dockerfile_that_can_not_be_read_is_reported,
                a_missing_base_image_is_reported,
                a_context_that_can_not_be_read_fails_the_build,
                a_health_check_is_told_by_an_event,
                names_resolve_on_a_network,
                a_step_that_mounts_a_secret_reads_it_and_the_image_keeps_nothing,
            ],
        }
    };
}

pub(crate) use {for_each_case, for_each_shell_case};
