# The examples of the library, as a reader would run them.
. "$(dirname "$0")/../support/tap.sh"
digits 600 100 data || exit 1
digits 20 5 pictures png || exit 1

"$BUILD/examples/keras_classic" >out 2>err; status=$?
ok keras_classic eval 'is_status 0 && prints "test accuracy 0\.[789]" && says "Epoch 10/10" && prints "784"'
"$BUILD/examples/keras_classic" data >out 2>err; status=$?
ok keras_classic_on_files eval 'is_status 0 && prints "100 rows"'
"$BUILD/examples/keras_classic" ./nothing >out 2>err; status=$?
ok keras_classic_without_files eval 'is_status 3 && says "nothing"'
run train data --arch 'conv 8 3 relu, pool 2, dense 32 relu' --epochs 2 --out run --quiet
"$BUILD/examples/fine_tune" run/best data tuned "$(find pictures/test -name '*.png' | head -n 1)" >out 2>err; status=$?
ok fine_tune eval 'is_status 0 && prints "^accuracy 0\." && prints "^\{\"input\"" && [ -s tuned/model.safetensors ]'
finish
