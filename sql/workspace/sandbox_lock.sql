-- sandbox_lock: no setting changes from here on. Grain: a setting.
set lock_configuration = true;
