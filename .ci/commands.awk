# Prints the commands of README.md: the lines of its ```sh blocks, except where <!-- own data --> stands above one.
/^<!-- own data -->$/ { own = 1 }
/^```/ {
    if (fenced) own = 0
    taken = !fenced && !own && $0 == "```sh"
    fenced = !fenced
    next
}
taken && NF { print }
