-- sandbox_access: forbids reading or writing outside the allowed paths from here on. Grain: a setting.
set enable_external_access = false;
