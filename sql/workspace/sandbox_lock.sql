-- sandbox_lock: forbids changing any setting from here on. Grain: a setting.
set lock_configuration = true;
