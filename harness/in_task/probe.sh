# The in-task probe for images without Python: POSIX sh, and whatever tools the image has.
#
# harness/in_task/shell.py appends one call per question, and reads what is printed: lines of
# "<question> <field> <hexadecimal>". A field that is longer than a line comes in several. No field
# holds a secret: the values of secret variables are masked in everything that is said.

export LC_ALL=C
exec 3>&1

hex() { od -An -v -tx1 | tr -d ' \n'; }
have() { command -v "$1" >/dev/null 2>&1; }
# Short lines, each written at once: questions are answered side by side.
emit() {
    hex | sed "$masks" | fold -w 480 | while read -r part || [ -n "$part" ]; do
        printf '%s %s %s\n' "$1" "$2" "$part"
    done
}
say() { printf %s "$3" | emit "$1" "$2"; }
lacks() { say "$1" lacks "$2"; }

mask() { [ ${#1} -lt 6 ] || masks="$masks;s/$(printf %s "$1" | hex)/5b72656461637465645d/g"; }
masks=
for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' |
    grep -iE 'PASSWORD|SECRET|TOKEN|KEY|CREDENTIAL'); do
    eval "mask \"\${$name}\""
done
for value in $(env | sed -n 's,.*://[^/@:]*:\([^/@]*\)@.*,\1,p'); do mask "$value"; done

# within SECONDS COMMAND...: 143 is the status of one that was stopped.
within() {
    seconds=$1
    shift
    "$@" &
    worker=$!
    (
        trap 'kill "$!"; exit' TERM
        sleep "$seconds" &
        wait "$!" && kill "$worker"
    ) >/dev/null 2>&1 3>&- 5>&- &
    guard=$!
    wait "$worker"
    status=$?
    kill "$guard" 2>/dev/null
    return "$status"
}
usable() { case $1 in '' | /* | :*) return 1 ;; esac; }

# ask_dns QUESTION SECONDS NAME
ask_dns() {
    say "$1" name "$3"
    usable "$3" || return 0
    have getent || { lacks "$1" getent; return 0; }
    found=$(within "$2" getent ahostsv4 "$3" 2>/dev/null)
    status=$?
    [ $status -ne 1 ] || { found=$(within "$2" getent hosts "$3" 2>/dev/null); status=$?; }
    say "$1" status "$status"
    printf '%s\n' "$found" | cut -d' ' -f1 | emit "$1" answers
}

# ask_tcp QUESTION SECONDS HOST PORT
ask_tcp() {
    say "$1" host "$3"
    say "$1" port "$4"
    usable "$3" && usable "$4" || return 0
    began=$(date +%s)
    if have nc; then
        told=$(within $(($2 + 1)) nc -z -v -w "$2" "$3" "$4" 2>&1 </dev/null)
    elif have bash; then
        told=$(within "$2" bash -c 'exec 4<>"/dev/tcp/$0/$1"' "$3" "$4" 2>&1 </dev/null)
    else
        lacks "$1" 'nc or bash'
        return 0
    fi
    say "$1" status "$?"
    say "$1" told "$told"
    say "$1" seconds $(($(date +%s) - began))
}

# ask_http QUESTION SECONDS URL METHOD LARGEST BODY HEADER...
ask_http() {
    question=$1 seconds=$2 url=$3 method=$4 largest=$5 body=$6
    shift 6
    say "$question" url "$url"
    usable "$url" || return 0
    for header; do
        set -- "$@" --header "$header"
        shift
    done
    if have curl; then
        [ -z "$body" ] || set -- "$@" --data-binary "$body"
        [ "$method" != HEAD ] || set -- "$@" --head
        {
            curl -q -sS -i --http1.1 --max-time "$seconds" -X "$method" "$@" -w "$seen" "$url" \
                2>/dev/null
            say "$question" status "$?" >&3
        } | head -c $((largest + 65536)) | emit "$question" reply
    elif have wget && [ "$method$body" = GET ]; then
        {
            {
                within "$seconds" wget -q -S -O - -T "$seconds" "$@" "$url" 2>&1 1>&5
                say "$question" wget "$?" >&3
            } | emit "$question" heads >&3
        } 5>&1 | head -c $((largest + 1)) | emit "$question" body
    else
        lacks "$question" 'curl (or wget, for a plain GET)'
    fi
}
seen='\n@@ %{time_namelookup} %{time_connect} %{time_appconnect} %{time_starttransfer}'
seen="$seen %{time_total} %{remote_ip} %{remote_port}"

# ask_variable QUESTION NAME, and the same for one whose value is told as a digest only
ask_variable() {
    eval "[ -n \"\${$2+set}\" ]" || return 0
    say "$1" "has_$2" 1
    eval "say \"\$1\" \"is_\$2\" \"\${$2}\""
}
ask_secret() {
    eval "[ -n \"\${$2+set}\" ]" || return 0
    say "$1" "has_$2" 1
    ! have sha256sum || eval "[ -z \"\${$2}\" ] || say \"\$1\" \"sum_\$2\" \
        \"\$(printf %s \"\${$2}\" | sha256sum | cut -c1-8)\""
}
