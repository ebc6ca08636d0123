-- sandbox_paths: sets the files that stay readable once external access is off. Grain: a setting.
set allowed_paths = $paths;
