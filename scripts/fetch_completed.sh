#!/bin/sh
# fetch_completed.sh [DIR]: fetch every execution that has completed into
# DIR/EXECUTION_ID.json (default ./completed): its record, request, metadata,
# chunks and text. SPOOL_URL and SPOOL_KEY say from which server; STATUS (completed)
# and OWNER choose. Run it as often as you like, also twice at once: a file that is
# there is whole and is not fetched again, and DIR/.cursor keeps where everything
# older has been seen to its end. Wants sh, curl, jq.
set -eu
umask 077
dir=${1:-completed}
url=${SPOOL_URL:-http://127.0.0.1:8080}
url=${url%/}
status=${STATUS:-completed}
owner=${OWNER:-}
late_ms=60000 # an id is given a little before the execution can be seen

mkdir -p "$dir"
work=$(mktemp -d "$dir/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# get FILE PATH [NAME=VALUE...]: the answer into FILE; 1 when it is not there. The
# key goes to curl by its config: other users see a command line.
get() {
	out=$1
	path=$2
	shift 2
	for pair; do
		set -- "$@" --data-urlencode "$pair"
		shift
	done
	code=$(printf 'header = "Authorization: Bearer %s"\n' "${SPOOL_KEY:-}" |
	    curl --config - --silent --show-error --get --retry 8 --retry-max-time 30 --retry-connrefused --max-time 120 \
	        --output "$out" --write-out '%{http_code}' "$@" "$url$path") || exit 1
	case $code in
	200) ;;
	404) return 1 ;;
	*)
		echo "$path: $code $(head -c 2000 "$out")" >&2
		exit 1
		;;
	esac
}

# fetch ID: into DIR/ID.json; nothing when it was deleted meanwhile.
fetch() {
	from=0
	get "$work/record" "/v1/executions/$1" || return 0
	: > "$work/chunks"
	while :; do
		get "$work/page" "/v1/executions/$1/chunks" "fromIndex=$from" limit=1000 || return 0
		jq -c '.chunks[]' "$work/page" >> "$work/chunks"
		from=$(jq .next_index "$work/page")
		[ "$(jq .completed "$work/page")" = false ] || break
	done
	jq -cn --slurpfile record "$work/record" --slurpfile chunks "$work/chunks" '
		$record[0] + {chunks: $chunks, text: (
			($chunks | map(.metadata.kind == "reset") | rindex(true) // -1) as $reset |
			[$chunks[$reset + 1:][] | select(.metadata.kind == "text") | .content] | add // "")}
	' > "$work/whole"
	mv "$work/whole" "$dir/$1.json"
	fetched=$((fetched + 1))
}

# Another choice has another past: its cursor is not ours.
choice="$status $owner"
cursor=
if [ -s "$dir/.cursor" ]; then
	[ "$(cut -f2 "$dir/.cursor")" != "$choice" ] || cursor=$(cut -f1 "$dir/.cursor")
fi

# All that is newer than the cursor, "ID STATUS", newest first.
: > "$work/seen"
after=
while :; do
	get "$work/page" /v1/executions limit=1000 ${after:+"after=$after"} ${owner:+"owner=$owner"} || exit 1
	jq -r --arg cursor "$cursor" \
	    '.executions[] | select(.execution_id > $cursor) | "\(.execution_id) \(.status)"' \
	    "$work/page" >> "$work/seen"
	after=$(jq -r '.next // ""' "$work/page")
	[ -n "$after" ] || break
	[ "$(jq -nr --arg a "$after" --arg c "$cursor" '$a > $c')" = true ] || break
done
sort -o "$work/seen" "$work/seen"

fetched=0
live=0
safe=yes # until the first that has not ended, or may have a late neighbour
newest=$(tail -1 "$work/seen" | cut -c1-13 | tr -d -)
limit=$(printf '%012x' $((0x${newest:-0} > late_ms ? 0x${newest:-0} - late_ms : 0)))
while read -r id is; do
	[ "$is" != "$status" ] || [ -e "$dir/$id.json" ] || fetch "$id"
	case $is in queued | streaming)
		live=$((live + 1))
		safe=
		;;
	esac
	stamp=$(printf '%s' "$id" | cut -c1-13 | tr -d -)
	[ $((0x$stamp > 0x$limit)) = 0 ] || safe=
	[ -z "$safe" ] || cursor=$id
done < "$work/seen"
printf '%s\t%s\n' "$cursor" "$choice" > "$work/cursor"
mv "$work/cursor" "$dir/.cursor"
echo "$fetched fetched, $live have not ended" >&2
