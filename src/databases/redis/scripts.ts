/**
 * The two scripts of the sink. Redis runs a script whole, with nothing in between, and its persistence and replication have all of it or nothing; so what a script
 * writes and the batch id that it notes are one step. The note is a hash: query, epoch, batch (the last one; `any` where the next may be any), rows, refused.
 */

/** KEYS: note. ARGV: version, query, epoch, adopt (1 or 0), recovering. Gives [status, what is there]. */
export const claimScript = `
local version, query, epoch, adopt, recovering = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1', ARGV[5] == '1'
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= 'hash' and kind ~= 'none' then return {'foreign', kind} end
local note = redis.call('HMGET', KEYS[1], 'version', 'query', 'epoch')
if not note[2] then
  if kind == 'hash' then return {'foreign', 'hash'} end
  if recovering and not adopt then return {'missing', ''} end
  redis.call('HSET', KEYS[1], 'version', version, 'query', query, 'epoch', epoch, 'batch', adopt and 'any' or '-1', 'rows', '0', 'refused', '')
  return {'claimed', ''}
end
if note[1] ~= version then return {'version', note[1]} end
if note[2] ~= query then
  if not adopt then return {'other', note[2]} end
  redis.call('HSET', KEYS[1], 'query', query, 'epoch', epoch, 'batch', 'any', 'rows', '0', 'refused', '')
  return {'claimed', ''}
end
if tonumber(note[3]) > tonumber(epoch) then return {'fenced', note[3]} end
redis.call('HSET', KEYS[1], 'epoch', epoch)
return {'claimed', ''}
`

/**
 * KEYS: note, set of all keys (complete mode), staged pieces … ARGV: query, epoch, batch, structure, mode, ttl in ms or '', maximal length or '', whether refused rows are
 * left out, rows, then for each stored column its name. A piece is a list: for each row its key, and a value for each column, '-' for null or '+' and its bytes; '!' in
 * the first takes the key away.
 */
export const applyScript = `
local note = redis.call('HMGET', KEYS[1], 'query', 'epoch', 'batch', 'rows', 'refused')
local query, epoch, batch, structure, mode, ttl, maxlen, leaves = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8] == '1'
if not note[1] then return {'missing', ''} end
if note[1] ~= query then return {'other', note[1]} end
if tonumber(note[2]) > epoch then return {'fenced', note[2]} end
if note[3] ~= 'any' then
  local last = tonumber(note[3])
  if batch <= last then
    for piece = 3, #KEYS do redis.call('DEL', KEYS[piece]) end
    return {'already', batch == last and note[4] or '-1', note[2], batch == last and note[5] ~= '' and cmsgpack.unpack(note[5]) or {}}
  end
  if batch > last + 1 then return {'gap', note[3]} end
end
local width = #ARGV - 7
local function cells(piece) return redis.call('LRANGE', KEYS[piece], 0, -1) end
for piece = 3, #KEYS do
  if redis.call('EXISTS', KEYS[piece]) == 0 then return {'unstaged', ''} end
end
local refused, refusedCount = {}, 0
if structure == 'stream' then
  local kind = #KEYS > 2 and redis.call('TYPE', redis.call('LINDEX', KEYS[3], 0))['ok'] or 'none'
  if kind ~= 'none' and kind ~= 'stream' then return {'wrongtype', kind} end
elseif structure == 'hash' then
  for piece = 3, #KEYS do
    local row = cells(piece)
    for at = 1, #row, width do
      local kind = redis.call('TYPE', row[at])['ok']
      if kind ~= 'none' and kind ~= 'hash' then
        if not leaves then return {'refused', row[at], kind} end
        if not refused[row[at]] then refused[row[at]] = kind end
      end
    end
  end
end
local written, seen, order = 0, {}, {}
for piece = 3, #KEYS do
  local row = cells(piece)
  for at = 1, #row, width do
    local key = row[at]
    if refused[key] then
      refusedCount = refusedCount + 1
    else
      written = written + 1
      if mode == 'complete' and not seen[key] then seen[key] = true; order[#order + 1] = key end
      if string.byte(row[at + 1] or '') == 33 then
        redis.call('DEL', key)
      elseif structure == 'hash' or structure == 'stream' then
        local set, gone = {}, {}
        for i = 1, width - 1 do
          local value = row[at + i]
          if string.byte(value) == 43 then
            set[#set + 1] = ARGV[8 + i]
            set[#set + 1] = string.sub(value, 2)
          else
            gone[#gone + 1] = ARGV[8 + i]
          end
        end
        if structure == 'stream' then
          if #set == 0 then set = {'', ''} end
          if maxlen == '' then redis.call('XADD', key, '*', unpack(set)) else redis.call('XADD', key, 'MAXLEN', '~', maxlen, '*', unpack(set)) end
        else
          if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
          if #set > 0 then redis.call('HSET', key, unpack(set)) end
        end
      elseif string.byte(row[at + 1]) == 43 then
        redis.call('SET', key, string.sub(row[at + 1], 2))
      else
        redis.call('DEL', key)
      end
      if ttl ~= '' then redis.call('PEXPIRE', key, ttl) end
    end
  end
end
if mode == 'complete' then
  for _, key in ipairs(redis.call('SMEMBERS', KEYS[2])) do
    if not seen[key] then redis.call('DEL', key) end
  end
  redis.call('DEL', KEYS[2])
  for at = 1, #order, 1000 do redis.call('SADD', KEYS[2], unpack(order, at, math.min(at + 999, #order))) end
end
local names = {}
for key, kind in pairs(refused) do names[#names + 1] = key; names[#names + 1] = kind end
local packed = #names > 0 and cmsgpack.pack(names) or ''
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'batch', ARGV[3], 'rows', tostring(written), 'refused', packed)
for piece = 3, #KEYS do redis.call('DEL', KEYS[piece]) end
return {'committed', tostring(written), ARGV[2], names}
`
