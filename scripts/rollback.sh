#!/usr/bin/env bash
# Give all traffic back to what served before, by the endpoint's own record: `python -m scripts.rollback` in short, for
# jobs in which its packages can't be installed, and for Azure's Cloud Shell. Needs az, signed in, and jq.
# With `--own ROLLOUT` only from a split that this very rollout wrote; another one is left alone.
set -euo pipefail

if (($#)) && [[ $# != 2 || $1 != --own || ! $2 ]]; then
  echo "Usage: rollback.sh [--own ROLLOUT]" >&2
  exit 2
fi
own=${2:-}
for name in AZURE_SUBSCRIPTION_ID AZURE_RESOURCE_GROUP AZURE_ML_WORKSPACE; do
  [[ ${!name:-} ]] || { echo "Which endpoint? Set $name." >&2; exit 2; }
done
endpoint=${ENDPOINT_NAME:-$(sed -nE "s/^name: *['\"]?([A-Za-z0-9-]+).*/\1/p" endpoints/endpoint.yml)}
at=/subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/$AZURE_RESOURCE_GROUP
at+=/providers/Microsoft.MachineLearningServices/workspaces/$AZURE_ML_WORKSPACE/onlineEndpoints/${endpoint,,}
run=${GITHUB_RUN_ID:+${GITHUB_REPOSITORY:0:80}/actions/runs/$GITHUB_RUN_ID/attempts/${GITHUB_RUN_ATTEMPT:-1}}
by=${own:-${run:-by hand}}
again="Give another one all traffic (python -m scripts.rollback --to NAME), or start rollout.yml with an older version."

# Azure writes times with more or fewer digits than the tags have.
micro='def micro: capture("^(?<to>[^.Z+]+)([.](?<less>[0-9]+))?") | "\(.to).\("\(.less // "")000000"[:6])";'
# The split, what is to be done, for whom (name, creation time), and the whole document to PUT: PATCH knows no traffic.
# shellcheck disable=SC2016 # what looks like a variable is jq's
plan='
def part(number): split(" ")[number] // "";
(.tags // {}) as $tags | ($tags["rollout-blue"] // "") as $blue | ($tags["rollout-green"] // "") as $green
| (.properties.traffic // {} | with_entries(select(.value > 0) | .key |= ascii_downcase)) as $now
| ([$tags["rollout-split"] // "" | scan("([a-z0-9-]+)=([0-9]+)") | {key: .[0], value: .[1] | tonumber}]
  | from_entries) as $split
| ($tags["rollout-direction"] == "back") as $back
| (if ($now | keys) - [$blue, $green | part(0)] != [] and ($split | length) == 1 and ($back | not)
  then $green else $blue end) as $to # a third one has traffic by a stranger: back to who had it all
| ($to | part(0)) as $name | ($green | part(0)) as $left | (now | todate) as $at
| ($now | to_entries | map("\(.key) \(.value) %") | join(", ")),
  (if .properties.provisioningState | IN("Creating", "Updating", "Deleting") then "wait"
  elif $split == {} then "unknown"
  elif $own != "" and ($tags.rollout != $own or $split != $now) then "left"
  elif $now == {($name): 100} or $own != "" and ($back or $to == "") then "done"
  elif $to == "" then "unknown" else "back" end),
  $name, ($to | part(1) | micro? // ""),
  (del(.id, .name, .type, .systemData, .properties.scoringUri, .properties.swaggerUri, .properties.provisioningState)
  | .properties.traffic = {($name): 100} | .properties.mirrorTraffic |= (. // {} | del(.[$name]))
  | if .identity.userAssignedIdentities then .identity.userAssignedIdentities |= map_values({}) else . end
  | .tags = ($tags | del(.["first-rollout"]))
  | if $now[$left] and $left != $name
    then .tags["mark-\($left)"] = "\($green | part(1)) rolled back from \($now[$left]) % on \($at), \($by)"[:256]
    else . end
  | .tags += {"rollout": $by, "rollout-blue": $to, "rollout-green": (if $to == $green then "" else $green end),
    "rollout-split": ("\($name)=100" + ($tags["rollout-split"] // "" | sub("^[^ ]*"; ""))), # with the shares that green had
    "rollout-direction": "back", "rollout-at": $at,
    "rollout-of-\($name)": "\($to | part(1))||\($by)"}
  | if $left != "" and $left != $name then .tags["rollout-of-\($left)"] = "\($green | part(1))|\($to)|\($by)" else . end
  | tojson)'

stands='"\(.systemData.createdAt | micro) \(.properties.provisioningState)"'

ask() { timeout 60 az rest --only-show-errors --method "$1" --url "$2?api-version=2024-04-01" "${@:3}" </dev/null; }

end() { # CODE WORDS
  echo "$2" >&2
  if (($1)) && [[ ${GITHUB_ACTIONS:-} ]]; then echo "::error::${2//%/%25}" >&2; fi
  if [[ ${GITHUB_STEP_SUMMARY:-} ]]; then echo "Rollback, without Python: $2" >>"$GITHUB_STEP_SUMMARY"; fi
  exit "$1"
}

before=
while ((SECONDS < 600)); do
  what="wait"
  if found=$(ask get "$at"); then
    mapfile -t planned < <(jq -r --arg own "$own" --arg by "$by" "$micro$plan" <<<"$found")
    split=${planned[0]:-no traffic} what=${planned[1]:-wait} name=${planned[2]:-} created=${planned[3]:-}
  fi
  if [[ $what == back ]]; then
    if blue=$(ask get "$at/deployments/$name" | jq -r "$micro$stands"); then
      [[ ! $created || $blue == "$created "* ]] || end 1 "$name, which served before, is gone: $split stays. $again"
      [[ $blue =~ \ (Succeeded|Updating|Scaling)$ ]] || end 1 "$name is ${blue#* }: $split stays. $again"
      echo "$split: giving $name all traffic" >&2
      ask put "$at" --body "${planned[4]}" >/dev/null || echo "Azure refused; once more" >&2
    fi
  elif [[ $what != wait && $what == "$before" ]]; then # twice: a single look may be late
    case $what in
      done) end 0 "$split" ;;
      left) end 0 "left alone, since $own didn't write it: $split" ;;
      unknown) end 1 "nothing tells what served before: $split stays. $again" ;;
    esac
  fi
  before=$what
  sleep "${PAUSE:-10}"
done
end 1 "not done in 10 minutes: ${split:-nobody could look}. Run this again."
