-- sandbox_access: nothing outside of the allowed paths is read or written from here on. Grain: a setting.
set enable_external_access = false;
