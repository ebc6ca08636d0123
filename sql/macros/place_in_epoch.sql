-- place_in_epoch: the place of one of `size` passages when each epoch starts `a_turn` places further on. Grain: one value per call.
-- Places count from 0. The next epoch then uses the next passages, and begins again after the last.
create or replace macro place_in_epoch(place, size, epoch, a_turn) as (place + size - (epoch * a_turn) % size) % size;
